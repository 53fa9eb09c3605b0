"""What a place is asked for that keeps bundles by name."""

import re
from typing import Protocol

from andon.models.bundle.bundle import AnyBundle
from andon.models.types.errors import OptionError

CHAMPION = "champion"
"""The alias of what is to run."""

NAME = re.compile(r"\w(?:[\w .-]{0,98}[\w-])?")
"""Of a bundle: it is also a folder and a piece of addresses."""

_ALIAS = re.compile(r"[\w-]{1,100}")


class BundleSource(Protocol):
    """A place that bundles are fetched from.

    It is not believed: what it gives is whole, and whether it is what was released, its signature says.
    """

    def find(self, name: str, alias: str = CHAMPION) -> str:
        """Say which bundle an alias stands for now: its digest. Cheap enough to be asked every few seconds.

        Raises
        ------
        NotFoundError
            There is no such name or alias.
        OptionError
            They cannot be names, or the place does not let this caller in.
        ResourceError
            It does not answer, or not as it should.
        """

    def get(self, name: str, alias: str = CHAMPION) -> AnyBundle:
        """Fetch the bundle that an alias stands for now, with its signature.

        Raises
        ------
        BundleError
            It is damaged, or another one than the place says.
        NotFoundError, OptionError, ResourceError
            As ``find`` does.
        """


def check_name(name: str) -> None:
    """Refuse what cannot name a bundle. Raises ``OptionError``.

    >>> check_name("板 1")
    """
    if not NAME.fullmatch(name):
        raise OptionError("update.name", name)


def check_alias(alias: str) -> None:
    """Refuse what cannot be an alias. Raises ``OptionError``."""
    if not _ALIAS.fullmatch(alias):
        raise OptionError("update.alias", alias)
