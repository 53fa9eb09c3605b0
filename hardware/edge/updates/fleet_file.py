"""``fleet.toml``: which boxes there are, and how a release spreads over them.

::

    [[boxes]]
    name = "line-1"
    url = "https://10.0.0.11:8443/status"
    key = "${LINE_1_KEY}"                # where the box asks for one; ${NAME} stands for a variable of the environment
    ca = "boxes.pem"                     # beside this file; where a box's certificate is not one of the usual

    [waves]                              # may be left out, as all in it
    first_boxes = 1
    shares = [0.1, 0.5, 1.0]
    healthy_s = 14400
    allowed_failures = 0
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from andon.hardware.edge.updates.waves import WaveRule
from andon.models.types.errors import OptionError

STATUS = "/status"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


@dataclass(frozen=True, slots=True)
class Box:
    """A box at a line.

    Parameters
    ----------
    url
        Of its status.
    key
        What lets one in, where it asks for that.
    ca
        PEM file of the certificates that are trusted instead of the usual ones.
    """

    name: str
    url: str
    key: str | None = field(default=None, repr=False)
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """Boxes, and how a release spreads over them."""

    boxes: tuple[Box, ...]
    rule: WaveRule


class _Box(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    url: str
    key: str | None = None
    ca: str | None = None


class _Waves(msgspec.Struct, forbid_unknown_fields=True):
    first_boxes: Annotated[int, msgspec.Meta(ge=1)] = 1
    shares: tuple[Share, ...] = (0.1, 0.5, 1.0)
    healthy_s: Annotated[float, msgspec.Meta(ge=0)] = 4 * 3600.0
    allowed_failures: Annotated[int, msgspec.Meta(ge=0)] = 0


class _File(msgspec.Struct, forbid_unknown_fields=True):
    boxes: Annotated[list[_Box], msgspec.Meta(min_length=1)]
    waves: _Waves = msgspec.field(default_factory=_Waves)


def read_fleet(path: Path, environment: Mapping[str, str]) -> Fleet:
    """Read ``fleet.toml``.

    Raises
    ------
    OptionError
        It cannot be read, says what it may not say, names a box twice, or a variable is not set.
    """
    try:
        said = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except OSError as error:
        raise OptionError("update.fleet", str(path), reason=error.strerror or str(error)) from error
    except ValueError as error:  # of TOML, UTF-8 and msgspec
        raise OptionError("update.fleet", str(path), reason=str(error)) from error
    _check_names([each.name for each in said.boxes], path)
    boxes = tuple(_box(each, path, environment) for each in said.boxes)
    return Fleet(boxes, WaveRule(**msgspec.structs.asdict(said.waves)))


def _check_names(names: list[str], path: Path) -> None:
    for name in names:
        if names.count(name) > 1:
            raise OptionError("update.fleet_twice", str(path), found=name)


def _box(said: _Box, path: Path, environment: Mapping[str, str]) -> Box:
    address = urlsplit(said.url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise OptionError("update.fleet", str(path), reason=f"{said.name}: url {said.url!r}")
    url = said.url if address.path.strip("/") else said.url.rstrip("/") + STATUS
    key = None if said.key is None else _filled(said.key, path, environment)
    return Box(said.name, url, key, None if said.ca is None else path.parent / said.ca)


def _filled(text: str, path: Path, environment: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise OptionError("update.fleet_variable", str(path), found=found[1])
        return environment[found[1]]

    return _VARIABLE.sub(value, text)
