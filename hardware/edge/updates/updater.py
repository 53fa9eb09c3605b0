"""Brings new versions to a station: fetches, checks, proves and watches them, and takes back what fails.

Two threads use it. The one that judges parts asks what runs (``active``), what is in its shadow (``candidate``), and says what came of it (``compared``,
``judged``): none of that waits for the disk. The other calls ``poll`` and ``work``, which do.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event as Signal
from threading import Lock, RLock
from time import monotonic
from typing import Any

from andon.datasets.registry.stores import CHAMPION, BundleSource
from andon.hardware.edge.updates.journal import Acceptance, UpdateRefusedError
from andon.hardware.edge.updates.policy import UpdatePolicy
from andon.hardware.edge.updates.slots import Slots
from andon.hardware.edge.updates.state import (
    ENDED,
    Compared,
    Event,
    Fetched,
    Happened,
    Judged,
    Phase,
    Refused,
    UpdateState,
    step,
)
from andon.models.bundle.bundle import AnyBundle
from andon.models.bundle.runtime import LoadedBundle, load_bundle
from andon.models.bundle.signature import check_signature
from andon.models.bundle.storage import read_bundle
from andon.models.signing.keys import PublicKey
from andon.models.types.errors import AndonError, BundleError, InputError, Param, ResourceError

logger = logging.getLogger(__name__)

ASKED = "update.asked"
"""The reason of a roll back that a person asked for."""

Load = Callable[[Path], LoadedBundle]
"""Reads, checks and proves the bundle at a path; raises ``BundleError``."""


@dataclass(frozen=True, slots=True)
class Running:
    """A version that judges."""

    digest: str
    loaded: LoadedBundle


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSettings:
    """What a station takes.

    Parameters
    ----------
    name
        What a bundle must have been released as.
    trusted
        Keys of which one must have signed it; while one takes another's place, both stand here.
    alias
        Under which the source is asked.
    by
        What the journal calls the source.
    """

    name: str
    trusted: Sequence[PublicKey]
    alias: str = CHAMPION
    by: str = "source"
    policy: UpdatePolicy = field(default_factory=UpdatePolicy)


class Updater:
    """The versions of one station, in memory and on disk.

    Parameters
    ----------
    load
        Reads, checks and proves a bundle on this device.
    clock
        Tells the time, in UTC.
    """

    def __init__(
        self,
        slots: Slots,
        source: BundleSource,
        settings: UpdateSettings,
        clock: Callable[[], datetime],
        load: Load = load_bundle,
    ) -> None:
        self._slots, self._source, self._settings = slots, source, settings
        self._clock, self._load = clock, load
        self._state = UpdateState()
        self._written: UpdateState | None = None
        self._active: Running | None = None
        self._candidate: Running | None = None
        self._stepping, self._working = RLock(), Lock()
        self.changed = Signal()
        """Set where there is work to do; ``work`` clears it."""

    @property
    def active(self) -> Running | None:
        """What decides; None before the first version."""
        return self._active

    @property
    def candidate(self) -> Running | None:
        """What judges in the shadow of it."""
        return self._candidate

    @property
    def state(self) -> UpdateState:
        """Where the update stands."""
        return self._state

    def document(self) -> dict[str, Any]:
        """What the box says of the station's versions."""
        return {
            "bundle": self._settings.name,
            "bundle_digest": self._active.digest if self._active else None,
            "previous_digest": self._slots.previous,
            "update": self._state.document(),
        }

    def compared(self, digest: str, old: str, new: str | None) -> None:
        """Say what both versions found in a part.

        Parameters
        ----------
        digest
            The candidate that judged: it may have gone meanwhile.
        new
            None where it could not judge.
        """
        self._note(digest, Phase.SHADOW, Compared(old, new))

    def judged(self, digest: str, failed: bool = False, missed_takt: bool = False) -> None:
        """Say how a version that decides did with a part: ``failed`` where it could not judge, whatever else went wrong with the part is not its fault."""
        self._note(digest, Phase.PROBATION, Judged(failed, missed_takt))

    def start(self) -> None:
        """Take up what a process before this one left, and load what runs. Comes before everything else.

        Raises
        ------
        BundleError
            What runs is damaged or not reproduced here, and there is nothing to go back to.
        ResourceError
            The disk cannot be read or written.
        """
        with self._working:
            self._slots.recover()
            self._state = self._slots.state()
            self._step(Happened.STARTED)
            self._settle()
            if self._state.phase is Phase.SHADOW:
                self._load_candidate()
                self._settle()

    def stop(self) -> None:
        """Remember what was counted, and that the process ends in order.

        Raises
        ------
        ResourceError
            The disk cannot be written.
        """
        with self._working:
            self._step(Happened.STOPPED)
            self._write()

    def poll(self) -> None:
        """Ask the source, and take what is new there as far as its shadow. What is refused is said by ``state``.

        Raises
        ------
        ResourceError
            The source does not answer, or the disk fails.
        InputError
            The source knows no such name or alias.
        """
        if self._state.phase not in ENDED:
            return
        name, alias = self._settings.name, self._settings.alias
        digest = self._source.find(name, alias)
        if not self._is_of_interest(digest):
            return
        try:
            bundle = self._source.get(name, alias)
        except BundleError as error:
            self._take(digest, error)
        else:
            self._take(bundle.digest, bundle)

    def work(self) -> None:
        """Do on disk what was decided, and remember what was counted. To be called whenever ``changed`` is set, and every second or so.

        Raises
        ------
        BundleError
            A version that is to run cannot be loaded.
        ResourceError
            The disk cannot be read or written. It is tried again by the next call.
        """
        self.changed.clear()
        with self._working:
            self._step(Happened.TICKED)
            self._settle()

    def roll_back(self, by: str, digest: str | None = None) -> None:
        """Go back to a version that is kept and was accepted here: that before, or the one whose digest begins so.

        Raises
        ------
        UpdateRefusedError
            There is none, it is not kept, was never accepted here, or was rolled back itself.
        """
        with self._working:
            target, running = self._named(digest) if digest else self._slots.previous, self._slots.current
            if target is None or running is None or target == running or target not in self._slots.versions():
                raise UpdateRefusedError("update.not_kept", (target or digest or "-")[:12])
            journal = self._slots.journal()
            journal.check_return(target, target[:12])
            self._turn_back(running, target, ASKED, {"by": by})
            self._settle()

    def _named(self, digest: str) -> str | None:
        return next((each for each in sorted(self._slots.versions()) if each.startswith(digest)), None)

    def run(self, stopping: Signal, poll_s: float) -> None:
        """Poll and work until ``stopping`` is set; what fails is logged and tried again."""
        due, failures = monotonic(), dict[str, str]()
        while not stopping.is_set():
            if monotonic() >= due:
                self._attempt(self.poll, failures)
                due = monotonic() + poll_s
            self.changed.wait(1.0)
            self._attempt(self.work, failures)

    def _attempt(self, work: Callable[[], None], failures: dict[str, str]) -> None:
        """Do something, and say what fails when it begins to."""
        try:
            work()
        except AndonError as error:
            reason = str(error)
            if failures.get(work.__name__) != reason:
                logger.warning("update failed", extra={"fields": {"name": self._settings.name, "reason": reason}})
            failures[work.__name__] = reason
        else:
            failures.pop(work.__name__, None)

    def _is_of_interest(self, digest: str) -> bool:
        """Whether a version is to be fetched: it is another one, did not fail here, and was not refused just now."""
        state, running = self._state, self._slots.current
        known = self._slots.journal().of(digest)
        if digest == running or (known is not None and known.withdrawn):
            return False
        lately = state.since is not None and self._clock() - state.since < timedelta(
            seconds=self._settings.policy.retry_s
        )
        return not (state.phase is Phase.REFUSED and state.digest == digest and lately)

    def _take(self, digest: str, fetched: AnyBundle | BundleError) -> None:
        """Take a version as far as its shadow, or remember why it is refused."""
        with self._working:
            before = self._state
            if before.phase not in ENDED:  # by another thread, while it was fetched
                return
            # What is there and cannot be loaded judges nothing that a new version could be compared with.
            former = self._active.digest if self._active else None
            self._step(Fetched(digest, former, self._slots.previous, self._settings.by))
            try:
                self._candidate = self._proved(fetched)
            except ResourceError:  # says nothing of the version: it is tried again
                self._state = before
                raise
            except InputError as error:
                self._step(Refused(error.code, error.params))
            else:
                self._step(Happened.PROVED)
            self._settle()

    def _proved(self, fetched: AnyBundle | BundleError) -> Running:
        """Check a version before it is on this disk, and let it prove itself on this device."""
        if isinstance(fetched, BundleError):
            raise fetched
        self._check(fetched)
        self._step(Happened.CHECKED)
        # Before anything of it runs: what kills the process is known by that afterwards.
        self._write()
        self._slots.put(fetched)
        return self._loaded(fetched.digest)

    def _check(self, bundle: AnyBundle) -> None:
        subject = f"{self._settings.name} {bundle.digest[:12]}"
        signature = check_signature(bundle, self._settings.trusted, subject)
        self._slots.journal().check_new(signature, self._settings.name, subject)

    def _settle(self) -> None:
        """Bring the disk to where the update stands, as far as that goes by itself."""
        self._write()
        if self._state.phase is Phase.SWITCHING:
            self._switch()
        # Before anything is loaded: what is to go may be what kills the process.
        if self._state.phase is Phase.ROLLING_BACK:
            self._go_back()
        self._load_active()
        if self._state.phase is not Phase.SHADOW:
            self._candidate = None

    def _switch(self) -> None:
        """Let the new version run. Whatever of it was done before is done again, and changes nothing."""
        digest = self._digest()
        try:
            if self._slots.current != digest:  # else the journal has it already
                self._slots.write_journal(self._slots.journal().with_accepted(self._acceptance(digest)))
        except InputError as error:
            self._step(Refused(error.code, error.params))
        else:
            self._slots.point(digest, self._state.former)
            self._step(Happened.SWITCHED)
        self._write()

    def _acceptance(self, digest: str) -> Acceptance:
        """What the journal says of the candidate: by the signature that stands beside it on disk, checked anew."""
        # It has been proved: after a restart it is only read, and loaded once it runs.
        bundle = self._candidate.loaded.bundle if self._candidate else self._read(digest)
        signature = check_signature(bundle, self._settings.trusted, digest[:12])
        release = signature.release
        return Acceptance(
            digest, release.name, release.number, release.created, signature.key, self._clock(), self._state.by
        )

    def _go_back(self) -> None:
        """Let the former version run again: in memory first, for the line's sake."""
        digest, state = self._digest(), self._state
        assert state.former is not None, "only what has a former version is rolled back"
        if self._active is None or self._active.digest != state.former:
            self._active = self._loaded(state.former)
        journal = self._slots.journal()
        if journal.of(digest):
            self._slots.write_journal(journal.with_withdrawn(digest, state.reason))
        self._slots.point(state.former, state.before)
        self._step(Happened.WENT_BACK)
        self._write()
        logger.warning("rolled back", extra={"fields": {"digest": digest, "reason": state.reason}})

    def _load_active(self) -> None:
        """Load what runs, unless it is; where that fails, go back to the version before, which has proved itself here once."""
        digest = self._slots.current
        if digest is None or (self._active is not None and self._active.digest == digest):
            return
        if self._candidate is not None and self._candidate.digest == digest:
            self._active = self._candidate
            return
        try:
            self._active = self._loaded(digest)
        except BundleError as error:
            former = self._slots.previous
            if former is None or former == digest:
                raise
            self._turn_back(digest, former, error.code, error.params)
            self._go_back()

    def _turn_back(self, digest: str, target: str, reason: str, params: Mapping[str, Param]) -> None:
        """Begin a roll back that no update asked for."""
        before = next((each for each in self._good_versions() if each not in (target, digest)), None)
        now = self._clock()
        with self._stepping:
            self._state = UpdateState(Phase.ROLLING_BACK, now, digest, target, before, reason=reason, params=params)
        self._write()

    def _load_candidate(self) -> None:
        try:
            self._candidate = self._loaded(self._digest())
        except BundleError as error:
            self._step(Refused(error.code, error.params))

    def _loaded(self, digest: str) -> Running:
        path = self._slots.path(digest)
        loaded = self._load(path)
        _require(digest, loaded.bundle, path)
        return Running(digest, loaded)

    def _read(self, digest: str) -> AnyBundle:
        path = self._slots.path(digest)
        bundle = read_bundle(path)
        _require(digest, bundle, path)
        return bundle

    def _kept(self) -> set[str]:
        """The version that runs, that before, and the newest others that could be gone back to."""
        fixed = [each for each in (self._slots.current, self._slots.previous) if each]
        others = [each for each in self._good_versions() if each not in fixed]
        return {*fixed, *others[: max(self._settings.policy.kept_versions - len(fixed), 0)]}

    def _good_versions(self) -> list[str]:
        """Versions that are kept, were accepted here and did not fail, the newest first."""
        kept = self._slots.versions()
        accepted = reversed(self._slots.journal().acceptances)
        return list(dict.fromkeys(each.digest for each in accepted if not each.withdrawn and each.digest in kept))

    def _digest(self) -> str:
        assert self._state.digest is not None, "an update is about a version"
        return self._state.digest

    def _note(self, digest: str, phase: Phase, event: Event) -> None:
        with self._stepping:
            if self._state.phase is phase and self._state.digest == digest:
                self._step(event)

    def _step(self, event: Event) -> None:
        with self._stepping:
            before = self._state
            self._state = step(before, event, self._settings.policy, self._clock())
        if self._state.phase is not before.phase:
            self.changed.set()

    def _write(self) -> None:
        """Remember where the update stands, where that is news; at the end of one, let go of versions that nobody needs."""
        state = self._state
        if state == self._written:
            return
        self._slots.write_state(state)
        self._written = state
        if state.phase in ENDED:
            self._slots.keep_only(self._kept())


def _require(digest: str, bundle: AnyBundle, path: Path) -> None:
    if bundle.digest != digest:
        raise BundleError("update.other", str(path), found=bundle.digest[:12], expected=digest[:12])
