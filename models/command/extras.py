"""Which extra brings a package that is not installed."""

from collections.abc import Mapping

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
