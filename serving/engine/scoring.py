"""A model as MLflow's scoring protocol sees it: a table in, a document for each row out.

Columns and documents are those of the model that tracking logs with the bundle, so that either can be asked.
"""

import math
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from andon.models.bundle.health_goldens import measures_of
from andon.models.health.rows import ASSET, MachineRow, watch_rows
from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import DataError
from andon.models.vision.rows import IMAGE, inspect_rows
from andon.serving.engine.engine import Task
from andon.serving.engine.errors import RequestError
from andon.serving.engine.models import Model, ServedHealth, ServedInspector
from andon.serving.engine.tables import ReadTable, Table

Documents = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Columns:
    """What a model reads of a table."""

    required: Sequence[str]
    optional: Sequence[str] = ()

    @property
    def names(self) -> Sequence[str]:
        """All of them."""
        return (*self.required, *self.optional)


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a model judges the rows of a table: ``prepare`` reads them, and gives what judges them."""

    columns: Columns
    prepare: Callable[[Table], Callable[[], Documents]]


def scoring_of(model: Model, texts: Catalogue) -> Scoring:
    """Say how ``model`` is asked.

    Parameters
    ----------
    texts
        In whose language a row says why it cannot be judged.

    Raises
    ------
    DataError
        It is of a kind that judges no rows.
    """
    match model:
        case ServedInspector():
            return Scoring(Columns([IMAGE]), partial(_prepare_images, model, texts))
        case ServedHealth():
            columns = Columns(measures_of(model.manifest.features, model.manifest.settings), [ASSET])
            return Scoring(columns, partial(_prepare_measures, model, columns.required))
    raise DataError("scoring.kind", model.name, found=model.manifest.label)


def read_scoring(model: Model, texts: Catalogue, read_table: ReadTable, body: bytes) -> Task[Documents, bytes]:
    """Read a request to ``model``.

    Raises
    ------
    RequestError
        It is no such table, or its columns are not those of the model.
    TooLargeError
        It has more rows than are taken.
    """
    scoring = scoring_of(model, texts)
    table = read_table(body, scoring.columns.names)
    if missing := [name for name in scoring.columns.required if name not in table.columns]:
        raise RequestError(
            "scoring.columns", "body", found=", ".join(missing), expected=", ".join(scoring.columns.names)
        )
    return Task(table.count, scoring.prepare(table), _encode, _verdicts)


def _encode(documents: Documents, _decode_ms: float) -> bytes:
    return msgspec.json.encode({"predictions": documents})


def _verdicts(documents: Documents) -> list[str]:
    return [document["verdict"] for document in documents if "verdict" in document]


def _prepare_images(model: ServedInspector, texts: Catalogue, table: Table) -> Callable[[], Documents]:
    """Images stay encoded until each is judged: together they could take any amount of memory."""
    images = [_image(value, f"{IMAGE}[{row}]") for row, value in enumerate(table.columns[IMAGE])]
    return partial(inspect_rows, model.inspector, images, texts.error)


def _image(value: Any, subject: str) -> bytes:
    """Undo base64 (RFC 4648, section 4); what is not of its alphabet is passed over, such as the ends of lines."""
    if not isinstance(value, str):
        raise RequestError("scoring.image", subject)
    try:
        return a2b_base64(value.encode())
    except (Base64Error, UnicodeEncodeError) as error:
        raise RequestError("scoring.image", subject) from error


def _prepare_measures(model: ServedHealth, measures: Sequence[str], table: Table) -> Callable[[], Documents]:
    numbers = {name: _numbers(table.columns[name], name) for name in measures}
    assets = [_asset(value, row) for row, value in enumerate(table.columns.get(ASSET, [None] * table.count))]
    measured = zip(*numbers.values(), strict=True)
    rows = [
        MachineRow(asset, dict(zip(measures, values, strict=True)))
        for asset, values in zip(assets, measured, strict=True)
    ]
    return partial(watch_rows, model.health, rows)


def _numbers(values: Iterable[Any], name: str) -> list[float | None]:
    return [_number(value, f"{name}[{row}]") for row, value in enumerate(values)]


def _number(value: Any, subject: str) -> float | None:
    """Read a number, also from text; None where there is none, which leaves a row unjudged and spoils no other."""
    if value is None:
        return None
    if isinstance(value, (bool, int, float, str)):
        try:
            return float(value)
        except (ValueError, OverflowError) as error:
            raise RequestError("scoring.number", subject, found=str(value)) from error
    raise RequestError("scoring.number", subject, found=type(value).__name__)


def _asset(value: Any, row: int) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and math.isnan(value):
        return None
    raise RequestError("scoring.asset", f"{ASSET}[{row}]")
