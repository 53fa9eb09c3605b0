"""What a key may hold, as it is told to whoever wrote something else."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from andon.hardware.edge.config.allowed import allowed


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        (bool, "true | false"),
        (int, "integer"),
        (Annotated[int, Meta(ge=1, le=65_535)], "integer >= 1, <= 65535"),
        (Annotated[float, Meta(gt=0.02, lt=3600)] | None, "float > 0.02, < 3600"),
        (Colour, "red | green"),
        (Literal["plc", "code"], "code | plc"),
        (str | int, "string | integer"),
        (Annotated[str, Meta(pattern="^[a-z]+$")], "string ^[a-z]+$"),
        (Path | None, "string"),
        (tuple[str, ...], "[string, ...]"),
        (list[int], "[integer, ...]"),
        (Mapping[str, bool | float], "{key = true | false | float, ...}"),
    ],
)
def test_it_is_said_as_toml_has_it(hint: Any, said: str) -> None:
    assert allowed(hint) == said
