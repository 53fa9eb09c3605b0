"""Which extra brings a package that is not installed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from andon.models.types.errors import MissingExtraError

EXTRA_OF_PACKAGE: Mapping[str, str] = {
    "asyncua": "edge",
    "av": "stream",
    "genicam": "genicam",
    "google": "edge",
    "harvesters": "genicam",
    "httpx": "edge",
    "matplotlib": "plots",
    "paho": "edge",
    "prometheus_client": "edge",
    "pyarrow": "records",
    "pymodbus": "edge",
}
"""By the name under which it is imported: what records and the line need beyond the base install."""


def extra_of(module: str) -> str | None:
    """Return the extra that brings a module; None where none is known to.

    >>> extra_of("matplotlib.axes"), extra_of("numpy")
    ('plots', None)
    """
    return EXTRA_OF_PACKAGE.get(module.partition(".")[0])


@contextmanager
def naming_extra(subject: str, extra: str | None = None) -> Iterator[None]:
    """Name the extra where a package of it is missing, at once or later: some import what they need then.

    Parameters
    ----------
    subject
        What cannot be done.
    extra
        What brings all that it needs; without it, what brings the one package.

    Raises
    ------
    MissingExtraError
        If a package is missing that an extra brings.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        found = (error.name or "").partition(".")[0]
        named = extra or extra_of(found)
        if named is None or found == "andon":
            raise
        raise MissingExtraError("command.missing_extra", subject, found=found, extra=named) from error
