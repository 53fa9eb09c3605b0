"""A station takes what was released for it, and watches it."""

import json

import pytest
from tests.hardware.edge.updates.conftest import NAME, POLICY, MakeRelease, Station

from andon.hardware.edge.updates.slots import ACCEPTED, Slots
from andon.hardware.edge.updates.state import Phase
from andon.models.types.errors import ResourceError


def test_before_the_first_version_nothing_runs(station: Station) -> None:
    assert (station.running, station.phase) == (None, Phase.IDLE)


def test_the_first_version_runs_once_it_has_proved_itself(running_station: Station, release: MakeRelease) -> None:
    assert running_station.running == release(1).digest
    assert running_station.updater.document() == {
        "bundle": NAME,
        "bundle_digest": release(1).digest,
        "previous_digest": None,
        "update": {
            "phase": "kept",
            "since": "2026-03-02T06:00:00.000Z",
            "digest": release(1).digest,
            "parts": 0,
            "differing": 0,
            "errors": 0,
            "takt_misses": 0,
            "reason": None,
        },
    }


def test_a_new_version_is_shadowed_switched_watched_and_kept(running_station: Station, release: MakeRelease) -> None:
    station, old = running_station, release(1).digest
    new = station.publish(release(2))
    station.updater.poll()
    assert station.updater.candidate
    assert (station.updater.candidate.digest, station.running, station.phase) == (new, old, Phase.SHADOW)
    station.shadow()
    assert (station.running, station.phase) == (new, Phase.PROBATION)
    assert not station.updater.candidate
    assert Slots(station.folder).previous == old
    station.probation()
    assert (station.running, station.phase) == (new, Phase.KEPT)
    (first, second) = json.loads((station.folder / ACCEPTED).read_text())["journal"]["acceptances"]
    assert (first["digest"], second["digest"], second["release"]) == (old, new, 2)
    assert (second["by"], second["accepted"], second["name"]) == ("source", "2026-03-02T06:00:00Z", NAME)


def test_a_poll_that_finds_nothing_new_fetches_nothing(
    running_station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_station.store, "get", None)
    running_station.updater.poll()
    assert running_station.phase is Phase.KEPT


def test_what_others_say_of_another_version_changes_nothing(running_station: Station, release: MakeRelease) -> None:
    running_station.publish(release(2))
    running_station.updater.poll()
    for _ in range(9):
        running_station.updater.compared(release(3).digest, "OK", None)
        running_station.updater.judged(release(1).digest, failed=True)
    running_station.shadow()
    running_station.updater.judged(release(1).digest, failed=True)
    running_station.updater.work()
    assert running_station.phase is Phase.PROBATION


def test_few_versions_are_kept(running_station: Station, release: MakeRelease) -> None:
    digests = [release(1).digest, *(running_station.update_to(release(each)) for each in range(2, 7))]
    assert running_station.kept == set(digests[-POLICY.kept_versions :])


def test_a_version_may_be_released_anew(running_station: Station, release: MakeRelease) -> None:
    running_station.update_to(release(2))
    running_station.update_to(release(3, version=1))
    assert running_station.running == release(1).digest


def test_a_disk_that_is_full_refuses_nothing(
    running_station: Station, release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    running_station.publish(release(2))
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise ResourceError("bundle.not_written", "versions", reason="No space left on device")

        patch.setattr("andon.hardware.edge.updates.slots.write_bundle", full)
        with pytest.raises(ResourceError):
            running_station.updater.poll()
    assert running_station.phase is Phase.KEPT
    running_station.updater.poll()
    assert running_station.updater.candidate


def test_a_disk_that_fails_while_switching_is_tried_again(
    running_station: Station, release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    running_station.publish(release(2))
    running_station.updater.poll()
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr("andon.hardware.edge.updates.slots.replace_link", full)
        with pytest.raises(ResourceError, match="No space left"):
            running_station.shadow()
    assert running_station.running == release(1).digest
    running_station.updater.work()
    assert (running_station.running, running_station.phase) == (release(2).digest, Phase.PROBATION)
