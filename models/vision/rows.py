"""Rows of a table with an image each, judged as models that are served by MLflow judge them."""

from collections.abc import Callable, Sequence
from typing import Any

from andon.models.types.errors import AndonError, ImageError
from andon.models.types.vision import Inspector
from andon.models.vision.decoding import decode_image
from andon.models.vision.documents import inspection_document

IMAGE = "image"
"""The column that holds the images."""


def inspect_rows(
    inspector: Inspector, images: Sequence[bytes], explain: Callable[[AndonError], str]
) -> list[dict[str, Any]]:
    """Judge encoded images: one ``inspect`` document a row, without times, so that equal images give equal rows.

    Parameters
    ----------
    explain
        Tells in words why an image cannot be decoded; its row holds that as ``error``, and the others are inspected.
    """
    return [_inspect_row(inspector, encoded, f"{IMAGE}[{row}]", explain) for row, encoded in enumerate(images)]


def _inspect_row(
    inspector: Inspector, encoded: bytes, subject: str, explain: Callable[[AndonError], str]
) -> dict[str, Any]:
    try:
        document = inspection_document(inspector.inspect(decode_image(encoded, subject)), decode_ms=0)
    except ImageError as error:
        return {"error": explain(error)}
    del document["milliseconds"]
    return document
