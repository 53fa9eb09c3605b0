"""Names of measures and nodes in one configuration."""

from collections.abc import Sequence

from andon.models.types.errors import OptionError


def check_names(names: Sequence[str]) -> None:
    """Raise ``OptionError`` where there is no name, or one twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise OptionError("acquisition.names", "name", found=", ".join(twice) or "0")
