"""A station takes what was released for it, watches it, and takes it back."""

import json
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.hardware.edge.updates.conftest import NAME, POLICY, START, MakeRelease, Station

from andon.hardware.edge.updates.journal import UpdateRefusedError
from andon.hardware.edge.updates.policy import UpdatePolicy
from andon.hardware.edge.updates.slots import ACCEPTED, Slots
from andon.hardware.edge.updates.state import Phase
from andon.models.bundle.bundle import Bundle, VisionBundle, encode_array, file_digests
from andon.models.bundle.manifest import BANK
from andon.models.bundle.runtime import LoadedBundle, load_bundle
from andon.models.bundle.signature import Release, SignatureError, sign_bundle
from andon.models.signing.keys import SigningKey, generate_key
from andon.models.types.errors import BundleError, ResourceError


def kept(station: Station) -> set[str]:
    return {path.name for path in (station.folder / "versions").iterdir()}


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


def test_a_version_that_disagrees_never_runs(running_station: Station, release: MakeRelease) -> None:
    old, new = release(1).digest, running_station.publish(release(2))
    running_station.updater.poll()
    running_station.shadow("NG", parts=2)
    assert (running_station.running, running_station.phase) == (old, Phase.REFUSED)
    assert running_station.updater.state.reason == "update.differs"
    assert kept(running_station) == {old}
    assert Slots(running_station.folder).journal().of(new) is None


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
    assert kept(running_station) == {old}
    known = Slots(running_station.folder).journal().of(new)
    assert known
    assert known.withdrawn == reason


def test_a_version_that_went_does_not_come_again(running_station: Station, release: MakeRelease) -> None:
    running_station.publish(release(2))
    running_station.updater.poll()
    running_station.shadow()
    running_station.probation(1, failed=True)
    running_station.clock.pass_s(1e6)
    running_station.updater.poll()
    assert running_station.phase is Phase.ROLLED_BACK
    with pytest.raises(UpdateRefusedError, match=r"update\.withdrawn"):
        running_station.updater.offer(release(9, version=2), "a person")
    running_station.update_to(release(10))


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


def without_signature(bundle: VisionBundle, _: SigningKey) -> VisionBundle:
    return replace(bundle, signature=None)


def by_another_key(bundle: VisionBundle, _: SigningKey) -> VisionBundle:
    return sign_bundle(without_signature(bundle, _), Release(NAME, 2, START), generate_key())


def for_another_product(bundle: VisionBundle, key: SigningKey) -> VisionBundle:
    return sign_bundle(bundle, Release("boards", 2, START), key)


def older(bundle: VisionBundle, key: SigningKey) -> VisionBundle:
    return sign_bundle(bundle, Release(NAME, 4, START), key)


def of_the_same_number(bundle: VisionBundle, key: SigningKey) -> VisionBundle:
    return sign_bundle(bundle, Release(NAME, 5, START), key)


def changed_after_signing(bundle: VisionBundle, _: SigningKey) -> VisionBundle:
    return replace(bundle, manifest=replace(bundle.manifest, seed=9))


def not_reproduced_here(bundle: VisionBundle, key: SigningKey) -> VisionBundle:
    files = {**bundle.files, BANK: encode_array(bundle.array(BANK, np.float32) + np.float32(1))}
    return sign_bundle(Bundle(replace(bundle.manifest, files=file_digests(files)), files), Release(NAME, 6, START), key)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (without_signature, "bundle.unsigned"),
        (by_another_key, "bundle.other_key"),
        (for_another_product, "update.other_name"),
        (older, "update.older"),
        (of_the_same_number, "update.older"),
        (changed_after_signing, "bundle.signed_other"),
        (not_reproduced_here, "bundle.parity"),
    ],
)
def test_what_was_not_released_for_it_is_refused_with_the_reason(
    station: Station,
    release: MakeRelease,
    key: SigningKey,
    spoil: Callable[[VisionBundle, SigningKey], VisionBundle],
    reason: str,
) -> None:
    station.publish(release(5))
    station.updater.poll()
    station.publish(spoil(release(6), key))
    station.updater.poll()
    assert (station.phase, station.updater.state.reason) == (Phase.REFUSED, reason)
    assert station.running == release(5).digest
    assert kept(station) == {release(5).digest}


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "bank.npy", "goldens/00.png", "signature.json"])
def test_a_changed_byte_is_refused(running_station: Station, release: MakeRelease, name: str) -> None:
    station, bundle = running_station, release(2)
    path = station.store.path(NAME, station.publish(bundle))
    contents = bytearray(bundle.contents[name])
    contents[len(contents) // 2] ^= 1
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in {**bundle.contents, name: bytes(contents)}.items():
            archive.writestr(each, data)
    station.updater.poll()
    assert (station.running, station.phase) == (release(1).digest, Phase.REFUSED)
    assert station.updater.state.reason.startswith(("bundle.", "update.other"))
    assert kept(station) == {release(1).digest}


def test_a_fetch_that_breaks_off_is_no_refusal(
    running_station: Station, release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    running_station.publish(release(2))
    with monkeypatch.context() as patch:

        def broken(*_: str) -> VisionBundle:
            raise ResourceError("update.store", "https://store", reason="reset")

        patch.setattr(running_station.store, "get", broken)
        with pytest.raises(ResourceError):
            running_station.updater.poll()
    assert running_station.phase is Phase.KEPT
    running_station.updater.poll()
    assert running_station.updater.candidate


def test_a_refused_version_is_left_alone_for_a_while(
    running_station: Station, release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    running_station.publish(without_signature(release(2), generate_key()))
    running_station.updater.poll()
    running_station.store.put(release(2), NAME)
    running_station.clock.pass_s(POLICY.retry_s - 1)
    running_station.updater.poll()
    assert running_station.phase is Phase.REFUSED
    running_station.clock.pass_s(1)
    running_station.updater.poll()
    assert running_station.updater.candidate, "it has been signed since"


def test_what_a_person_brings_is_held_to_the_same(running_station: Station, release: MakeRelease) -> None:
    with pytest.raises(SignatureError, match=r"bundle\.unsigned"):
        running_station.updater.offer(without_signature(release(2), generate_key()), "a person")
    running_station.updater.offer(release(2), "a person")
    assert running_station.phase is Phase.SHADOW
    with pytest.raises(UpdateRefusedError, match=r"update\.busy"):
        running_station.updater.offer(release(3), "a person")
    running_station.shadow()
    known = Slots(running_station.folder).journal().of(release(2).digest)
    assert known
    assert known.by == "a person"


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


def test_few_versions_are_kept(running_station: Station, release: MakeRelease) -> None:
    digests = [release(1).digest, *(running_station.update_to(release(each)) for each in range(2, 7))]
    assert kept(running_station) == set(digests[-POLICY.kept_versions :])


def test_an_older_release_is_refused_even_after_a_roll_back(running_station: Station, release: MakeRelease) -> None:
    running_station.update_to(release(5))
    running_station.updater.roll_back("a person")
    running_station.publish(release(4))
    running_station.updater.poll()
    assert running_station.updater.state.reason == "update.older"


def test_a_version_may_be_released_anew(running_station: Station, release: MakeRelease) -> None:
    running_station.update_to(release(2))
    running_station.update_to(release(3, version=1))
    assert running_station.running == release(1).digest


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


def test_a_version_that_kills_the_process_while_it_is_proved_is_refused(
    running_station: Station, release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """The end of a process."""

    running_station.publish(release(2))
    for _ in range(POLICY.allowed_starts + 1):
        with monkeypatch.context() as patch:
            patch.setattr(running_station.updater, "_load", lambda path: (_ for _ in ()).throw(Killed()))
            with pytest.raises(Killed):
                running_station.updater.poll()
        running_station.restart()
        assert running_station.running == release(1).digest
    assert (running_station.phase, running_station.updater.state.reason) == (Phase.REFUSED, "update.starts")
    running_station.updater.poll()
    assert running_station.phase is Phase.REFUSED


def test_orderly_stops_are_no_deaths(running_station: Station, release: MakeRelease) -> None:
    running_station.publish(release(2))
    running_station.updater.poll()
    running_station.shadow()
    for _ in range(POLICY.allowed_starts + 3):
        running_station.updater.stop()
        running_station.restart()
    assert running_station.phase is Phase.PROBATION


def spoil_bank(folder: Path) -> None:
    path = folder / BANK
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")


def test_a_version_that_rots_on_disk_is_left_for_the_one_before(running_station: Station, release: MakeRelease) -> None:
    old, new = release(1).digest, running_station.update_to(release(2))
    spoil_bank(running_station.folder / "versions" / new)
    running_station.restart()
    assert (running_station.running, running_station.phase) == (old, Phase.ROLLED_BACK)
    assert running_station.updater.state.reason == "bundle.changed_file"


def test_the_only_version_that_rots_is_an_error(running_station: Station, release: MakeRelease) -> None:
    spoil_bank(running_station.folder / "versions" / release(1).digest)
    with pytest.raises(BundleError, match=r"bundle\.changed_file"):
        running_station.restart()


def test_a_candidate_that_rots_is_refused(running_station: Station, release: MakeRelease) -> None:
    new = running_station.publish(release(2))
    running_station.updater.poll()
    spoil_bank(running_station.folder / "versions" / new)
    running_station.restart()
    assert (running_station.running, running_station.phase) == (release(1).digest, Phase.REFUSED)


def test_a_key_that_is_trusted_no_more_stops_what_was_not_switched_yet(
    running_station: Station, release: MakeRelease
) -> None:
    running_station.publish(release(2))
    running_station.updater.poll()
    running_station.key = generate_key()
    updater = running_station.restart()
    running_station.shadow()
    assert (updater.state.phase, updater.state.reason) == (Phase.REFUSED, "bundle.other_key")
    assert running_station.running == release(1).digest, "what was accepted before runs on"


def test_the_station_judges_while_the_other_thread_works(running_station: Station, release: MakeRelease) -> None:
    """Versions come and take over under a thread that judges all the time, which always has one to judge by."""
    station = running_station
    station.policy = UpdatePolicy(shadow_parts=4, probation_parts=4, probation_s=0.0)
    updater = station.restart()
    stopping, judged = threading.Event(), 0

    def judge() -> None:
        nonlocal judged
        while not stopping.is_set():
            active, candidate = updater.active, updater.candidate
            assert active
            if candidate:
                updater.compared(candidate.digest, "OK", "OK")
            updater.judged(active.digest)
            judged += 1

    thread = threading.Thread(target=judge)
    thread.start()
    try:
        for number in range(2, 7):
            station.publish(release(number))
            updater.poll()
            while updater.state.phase is not Phase.KEPT:
                updater.changed.wait(0.05)
                updater.work()
            assert station.running == release(number).digest
    finally:
        stopping.set()
        thread.join()
    assert judged > 40


def await_true(said: Callable[[], bool]) -> bool:
    """Wait for what another thread brings about."""
    for _ in range(600):
        if said():
            return True
        threading.Event().wait(0.05)
    return False


def test_the_thread_polls_and_works_by_itself(running_station: Station, release: MakeRelease) -> None:
    updater, stopping = running_station.updater, threading.Event()
    running_station.publish(release(2))
    thread = threading.Thread(target=updater.run, args=(stopping, 60.0))
    thread.start()
    try:
        assert await_true(lambda: updater.candidate is not None)
        assert updater.candidate
        digest = updater.candidate.digest
        for _ in range(POLICY.shadow_parts):
            updater.compared(digest, "OK", "OK")
        assert await_true(lambda: updater.active is not None and updater.active.digest == digest)
        assert (running_station.running, running_station.phase) == (release(2).digest, Phase.PROBATION)
    finally:
        stopping.set()
        updater.changed.set()
        thread.join()


def test_a_source_that_is_away_is_said_and_changes_nothing(
    running_station: Station, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(name: str, alias: str) -> str:
        stopping.set()
        raise ResourceError("update.store", "https://store", reason="away")

    stopping = threading.Event()
    monkeypatch.setattr(running_station.store, "find", away)
    running_station.updater.run(stopping, 60.0)
    assert "update failed" in caplog.text
    assert running_station.phase is Phase.KEPT


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


@pytest.mark.parametrize("damage", [b"{", b'{"schema_version":2,"journal":{}}', b"[]"])
def test_a_damaged_journal_is_named(running_station: Station, damage: bytes) -> None:
    (running_station.folder / ACCEPTED).write_bytes(damage)
    with pytest.raises(ResourceError, match=r"update\.slots_damaged.*accepted\.json"):
        running_station.updater.poll()
    assert running_station.running, "it judges on"


def test_only_what_it_was_told_to_load_runs(station: Station, release: MakeRelease) -> None:
    def swapped(path: Path) -> LoadedBundle:
        return load_bundle(station.folder / "versions" / release(1).digest)

    station.publish(release(1))
    station.updater.poll()
    station.publish(release(2))
    station.updater._load = swapped
    station.updater.poll()
    assert station.updater.state.reason == "update.other"
