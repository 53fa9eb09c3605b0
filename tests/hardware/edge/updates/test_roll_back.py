"""A version that fails goes by itself, and a person may go back to what is kept."""

import pytest
from tests.hardware.edge.updates.conftest import MakeRelease, Station

from andon.hardware.edge.updates.journal import UpdateRefusedError
from andon.hardware.edge.updates.slots import Slots
from andon.hardware.edge.updates.state import Phase


@pytest.mark.parametrize(
    ("how", "parts", "reason"), [("failed", 1, "update.errors"), ("missed_takt", 2, "update.takt_misses")]
)
def test_a_version_that_fails_goes_by_itself(
    running_station: Station, release: MakeRelease, how: str, parts: int, reason: str
) -> None:
    old, new = release(1).digest, running_station.publish(release(2))
    running_station.updater.poll()
    running_station.shadow()
    running_station.probation(parts, **{how: True})
    assert (running_station.running, running_station.phase) == (old, Phase.ROLLED_BACK)
    assert running_station.updater.state.reason == reason
    assert running_station.kept == {old}
    known = Slots(running_station.folder).journal().of(new)
    assert known
    assert known.withdrawn == reason


def test_a_version_that_went_does_not_come_again(
    running_station: Station, release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    running_station.publish(release(2))
    running_station.updater.poll()
    running_station.shadow()
    running_station.probation(1, failed=True)
    running_station.clock.pass_s(1e6)
    running_station.updater.poll()
    assert running_station.phase is Phase.ROLLED_BACK
    went = running_station.publish(release(9, version=2))
    running_station.updater.poll()
    assert running_station.phase is Phase.ROLLED_BACK
    with monkeypatch.context() as patch:
        said = iter(["0" * 64, went])  # the alias came back to it between two questions
        patch.setattr(running_station.store, "find", lambda *_: next(said))
        running_station.updater.poll()
    assert (running_station.phase, running_station.updater.state.reason) == (Phase.REFUSED, "update.withdrawn")
    running_station.update_to(release(10))


def test_a_roll_back_goes_to_the_version_before(running_station: Station, release: MakeRelease) -> None:
    old = release(1).digest
    new = running_station.update_to(release(2))
    running_station.updater.roll_back("shift leader")
    assert (running_station.running, running_station.phase) == (old, Phase.ROLLED_BACK)
    state = running_station.updater.state
    assert (state.reason, state.params) == ("update.asked", {"by": "shift leader"})
    running_station.updater.poll()
    assert running_station.running == old, f"the source still offers {new}"


def test_a_roll_back_goes_only_to_what_is_kept_and_was_accepted(running_station: Station, release: MakeRelease) -> None:
    first, second = release(1).digest, running_station.update_to(release(2))
    third = running_station.update_to(release(3))
    Slots(running_station.folder).put(release(4))

    def refused(digest: str | None) -> str:
        with pytest.raises(UpdateRefusedError) as caught:
            running_station.updater.roll_back("a person", digest)
        assert running_station.running == third
        return caught.value.code

    assert refused(third) == "update.not_kept", "it runs"
    assert refused(release(5).digest) == "update.not_kept"
    assert refused(release(4).digest) == "update.not_accepted"
    running_station.updater.roll_back("a person", first)
    assert running_station.running == first
    assert Slots(running_station.folder).previous == second
    with pytest.raises(UpdateRefusedError, match=r"update\.not_kept"):
        running_station.updater.roll_back("a person", third)


def test_without_a_version_before_there_is_no_roll_back(running_station: Station) -> None:
    with pytest.raises(UpdateRefusedError, match=r"update\.not_kept"):
        running_station.updater.roll_back("a person")


def test_an_older_release_is_refused_even_after_a_roll_back(running_station: Station, release: MakeRelease) -> None:
    running_station.update_to(release(5))
    running_station.updater.roll_back("a person")
    running_station.publish(release(4))
    running_station.updater.poll()
    assert running_station.updater.state.reason == "update.older"
