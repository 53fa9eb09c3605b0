"""A process that starts anew goes on where the one before was; a version that kills it, or that rots, goes."""

from pathlib import Path

import pytest
from tests.hardware.edge.updates.conftest import POLICY, MakeRelease, Station, spoil_bank

from andon.hardware.edge.updates.slots import ACCEPTED
from andon.hardware.edge.updates.state import Phase
from andon.hardware.edge.updates.updater import Load
from andon.models.bundle.runtime import LoadedBundle, load_bundle
from andon.models.types.errors import BundleError, ResourceError


def test_a_restart_goes_on_where_it_was(running_station: Station, release: MakeRelease) -> None:
    new = running_station.publish(release(2))
    running_station.updater.poll()
    running_station.shadow(parts=3)
    updater = running_station.restart()
    assert updater.candidate
    assert (updater.candidate.digest, updater.state.parts) == (new, 3)
    running_station.shadow(parts=1)
    updater = running_station.restart()
    assert (running_station.running, running_station.phase, updater.state.starts) == (new, Phase.PROBATION, 1)
    running_station.probation()
    running_station.restart()
    assert (running_station.running, running_station.phase) == (new, Phase.KEPT)


def test_a_version_under_which_the_process_dies_goes(running_station: Station, release: MakeRelease) -> None:
    running_station.publish(release(2))
    running_station.updater.poll()
    running_station.shadow()
    for _ in range(POLICY.allowed_starts):
        running_station.restart()
        assert running_station.running == release(2).digest
    running_station.restart()
    assert (running_station.running, running_station.phase) == (release(1).digest, Phase.ROLLED_BACK)
    assert running_station.updater.state.reason == "update.starts"


class KilledError(BaseException):
    """The end of a process: nobody catches it."""


def killed_by(digest: str) -> Load:
    """A version ends the process wherever it is loaded."""

    def load(path: Path) -> LoadedBundle:
        if path.name == digest:
            raise KilledError
        return load_bundle(path)

    return load


def test_a_version_that_kills_the_process_while_it_is_proved_is_refused(
    running_station: Station, release: MakeRelease
) -> None:
    running_station.load = killed_by(running_station.publish(release(2)))
    for _ in range(POLICY.allowed_starts + 1):
        running_station.restart()
        assert running_station.running == release(1).digest
        with pytest.raises(KilledError):
            running_station.updater.poll()
    running_station.restart()
    assert (running_station.phase, running_station.updater.state.reason) == (Phase.REFUSED, "update.starts")
    running_station.updater.poll()
    assert running_station.phase is Phase.REFUSED


@pytest.mark.parametrize("shadow_parts", [POLICY.shadow_parts, POLICY.shadow_parts - 1])
def test_a_version_that_kills_the_process_when_it_is_loaded_anew_goes(
    running_station: Station, release: MakeRelease, shadow_parts: int
) -> None:
    """It was proved once, on probation or in the shadow of the other."""
    new = running_station.publish(release(2))
    running_station.updater.poll()
    running_station.shadow(parts=shadow_parts)
    running_station.load = killed_by(new)
    for _ in range(POLICY.allowed_starts):
        with pytest.raises(KilledError):
            running_station.restart()
    running_station.restart()
    end = Phase.ROLLED_BACK if shadow_parts == POLICY.shadow_parts else Phase.REFUSED
    assert (running_station.running, running_station.phase) == (release(1).digest, end)
    assert running_station.updater.state.reason == "update.starts"


def test_a_version_that_kills_the_process_once_it_is_switched_goes(
    running_station: Station, release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Switching, it is read and not loaded: so it comes to its probation, which it fails."""
    new = running_station.publish(release(2))
    running_station.updater.poll()
    with monkeypatch.context() as patch:

        def dying(*_: object) -> None:
            raise KilledError

        patch.setattr("andon.hardware.edge.updates.slots.replace_link", dying)
        with pytest.raises(KilledError):
            running_station.shadow()
    running_station.load = killed_by(new)
    assert running_station.phase is Phase.SWITCHING
    for _ in range(POLICY.allowed_starts + 1):
        with pytest.raises(KilledError):
            running_station.restart()
    running_station.restart()
    assert (running_station.running, running_station.phase) == (release(1).digest, Phase.ROLLED_BACK)


def test_nothing_is_loaded_twice_when_a_process_starts(running_station: Station, release: MakeRelease) -> None:
    new = running_station.publish(release(2))
    running_station.updater.poll()
    loaded: list[str] = []

    def load(path: Path) -> LoadedBundle:
        loaded.append(path.name)
        return load_bundle(path)

    running_station.load = load
    running_station.restart()
    assert loaded == [release(1).digest, new]
    running_station.shadow()
    running_station.updater.work()
    assert loaded == [release(1).digest, new], "what was in the shadow decides now"


def test_orderly_stops_are_no_deaths(running_station: Station, release: MakeRelease) -> None:
    running_station.publish(release(2))
    running_station.updater.poll()
    running_station.shadow()
    for _ in range(POLICY.allowed_starts + 3):
        running_station.updater.stop()
        running_station.restart()
    assert running_station.phase is Phase.PROBATION


def test_a_version_that_rots_on_disk_is_left_for_the_one_before(running_station: Station, release: MakeRelease) -> None:
    old, new = release(1).digest, running_station.update_to(release(2))
    spoil_bank(running_station.version(new))
    running_station.restart()
    assert (running_station.running, running_station.phase) == (old, Phase.ROLLED_BACK)
    assert running_station.updater.state.reason == "bundle.changed_file"


def test_the_only_version_that_rots_is_an_error(running_station: Station, release: MakeRelease) -> None:
    spoil_bank(running_station.version(release(1).digest))
    with pytest.raises(BundleError, match=r"bundle\.changed_file"):
        running_station.restart()


def test_a_candidate_that_rots_is_refused(running_station: Station, release: MakeRelease) -> None:
    new = running_station.publish(release(2))
    running_station.updater.poll()
    spoil_bank(running_station.version(new))
    running_station.restart()
    assert (running_station.running, running_station.phase) == (release(1).digest, Phase.REFUSED)


@pytest.mark.parametrize("damage", [b"{", b'{"schema_version":2,"journal":{}}', b"[]", b'{"journal":{"\xff":1}}'])
def test_a_damaged_journal_is_named(running_station: Station, damage: bytes) -> None:
    (running_station.folder / ACCEPTED).write_bytes(damage)
    with pytest.raises(ResourceError, match=r"update\.slots_damaged.*accepted\.json"):
        running_station.updater.poll()
    assert running_station.running, "it judges on"
