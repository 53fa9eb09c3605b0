"""Which versions a station has accepted: what is older than the newest of them is refused, and a roll back goes to one of them alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from andon.models.bundle.signature import Signature
from andon.models.types.errors import InputError

REMEMBERED = 100
"""Acceptances; the highest release of each name is remembered for ever."""


class UpdateRefusedError(InputError):
    """A version is not taken, or a roll back not made."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A version that took over here.

    Parameters
    ----------
    created
        When it was signed.
    key
        Fingerprint of the key that signed it.
    accepted
        When it took over, in UTC.
    by
        Where it came from.
    withdrawn
        Message code: why it was rolled back; empty where it was not.
    """

    digest: str
    name: str
    release: int
    created: datetime
    key: str
    accepted: datetime
    by: str
    withdrawn: str = ""


@dataclass(frozen=True, slots=True)
class Journal:
    """Acceptances in the order of time, and the highest release of each name."""

    acceptances: tuple[Acceptance, ...] = ()
    highest: Mapping[str, int] = field(default_factory=dict)

    def of(self, digest: str | None) -> Acceptance | None:
        """The last acceptance of a version."""
        return next((each for each in reversed(self.acceptances) if each.digest == digest), None)

    def with_accepted(self, acceptance: Acceptance) -> "Journal":
        """The same with one more; one of the same version and release is replaced, so that saying it twice says it once."""
        others = [
            each for each in self.acceptances if (each.digest, each.release) != (acceptance.digest, acceptance.release)
        ]
        release = max(acceptance.release, self.highest.get(acceptance.name, 0))
        return Journal((*others, acceptance)[-REMEMBERED:], {**self.highest, acceptance.name: release})

    def with_withdrawn(self, digest: str, reason: str) -> "Journal":
        """The same, where a version was rolled back."""
        said = (replace(each, withdrawn=reason) if each.digest == digest else each for each in self.acceptances)
        return replace(self, acceptances=tuple(said))

    def check_new(self, signature: Signature, name: str, subject: str) -> None:
        """Refuse what was released as something else, what is no newer than what was accepted, and what failed here.

        Raises
        ------
        UpdateRefusedError
            It is one of these.
        """
        release, highest = signature.release, self.highest.get(name, 0)
        if release.name != name:
            raise UpdateRefusedError("update.other_name", subject, found=release.name, expected=name)
        known = self.of(signature.manifest)
        if known is not None and known.withdrawn:
            raise UpdateRefusedError("update.withdrawn", subject, reason=known.withdrawn)
        again = known is not None and known.release == release.number
        if release.number < highest or (release.number == highest and not again):
            raise UpdateRefusedError("update.older", subject, found=release.number, expected=highest)

    def check_return(self, digest: str, subject: str) -> None:
        """Refuse a roll back to what was never accepted here, or failed here.

        Raises
        ------
        UpdateRefusedError
            It is one of these.
        """
        known = self.of(digest)
        if known is None:
            raise UpdateRefusedError("update.not_accepted", subject)
        if known.withdrawn:
            raise UpdateRefusedError("update.withdrawn", subject, reason=known.withdrawn)
