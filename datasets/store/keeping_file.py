"""How long what is kept, as a file says it."""

import tomllib
from dataclasses import fields
from pathlib import Path

import msgspec

from andon.datasets.store.retention import KeepingRules
from andon.models.types.errors import OptionError


def load_rules(path: Path) -> KeepingRules:
    """Read rules from TOML, with the names of ``KeepingRules``; what it does not say stays as usual.

    Raises
    ------
    OptionError
        The file cannot be read, a key of it is unknown, or a value is none of its kind.
    DataError
        A number is too low.
    """
    known = [each.name for each in fields(KeepingRules)]
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        if unknown := ", ".join(sorted(said.keys() - set(known))):
            raise OptionError("keeping.file", str(path), reason=unknown, known=", ".join(known))
        return msgspec.convert(said, KeepingRules)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise OptionError("keeping.file", str(path), reason=str(error), known=", ".join(known)) from error
