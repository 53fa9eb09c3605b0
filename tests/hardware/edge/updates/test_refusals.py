"""What was not released for a station, or does not hold what it promised there, never runs."""

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.hardware.edge.updates.conftest import NAME, POLICY, START, MakeRelease, Station, without_signature

from andon.hardware.edge.updates.slots import Slots
from andon.hardware.edge.updates.state import Phase
from andon.models.bundle.bundle import AnyBundle, Bundle, VisionBundle, encode_array, file_digests
from andon.models.bundle.manifest import BANK
from andon.models.bundle.runtime import LoadedBundle, load_bundle
from andon.models.bundle.signature import Release, sign_bundle
from andon.models.signing.keys import SigningKey, generate_key
from andon.models.types.errors import BundleError, ResourceError


def test_a_version_that_disagrees_never_runs(running_station: Station, release: MakeRelease) -> None:
    old, new = release(1).digest, running_station.publish(release(2))
    running_station.updater.poll()
    running_station.shadow("NG", parts=2)
    assert (running_station.running, running_station.phase) == (old, Phase.REFUSED)
    assert running_station.updater.state.reason == "update.differs"
    assert running_station.kept == {old}
    assert Slots(running_station.folder).journal().of(new) is None


def unsigned(bundle: VisionBundle, _: SigningKey) -> VisionBundle:
    return without_signature(bundle)


def by_another_key(bundle: VisionBundle, _: SigningKey) -> VisionBundle:
    return sign_bundle(without_signature(bundle), Release(NAME, 2, START), generate_key())


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
        (unsigned, "bundle.unsigned"),
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
    assert station.kept == {release(5).digest}


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
    assert station.kept == {release(1).digest}


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


def test_a_refused_version_is_left_alone_for_a_while(running_station: Station, release: MakeRelease) -> None:
    running_station.publish(without_signature(release(2)))
    running_station.updater.poll()
    running_station.store.put(release(2), NAME)
    running_station.clock.pass_s(POLICY.retry_s - 1)
    running_station.updater.poll()
    assert running_station.phase is Phase.REFUSED
    running_station.clock.pass_s(1)
    running_station.updater.poll()
    assert running_station.updater.candidate, "it has been signed since"


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


def test_only_what_it_was_told_to_load_runs(station: Station, release: MakeRelease) -> None:
    def swapped(path: Path) -> LoadedBundle:
        return load_bundle(station.folder / "versions" / release(1).digest)

    station.publish(release(1))
    station.updater.poll()
    station.publish(release(2))
    station.load = swapped
    station.restart().poll()
    assert station.updater.state.reason == "update.other"


@pytest.mark.parametrize("broken", [True, False])
def test_what_comes_while_a_person_rolls_back_is_left_for_later(
    running_station: Station, release: MakeRelease, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """A roll back that the disk did not let end is ended first, whatever was being fetched."""
    station, second = running_station, running_station.update_to(release(2))
    station.publish(without_signature(release(3)))
    fetch = station.store.get

    def rolled_back_meanwhile(name: str, alias: str) -> AnyBundle:
        with monkeypatch.context() as patch:

            def full(*_: object) -> None:
                raise OSError(28, "No space left on device")

            patch.setattr("andon.hardware.edge.updates.slots.replace_link", full)
            with pytest.raises(ResourceError, match="No space left"):
                station.updater.roll_back("a person")
        if broken:
            raise BundleError("bundle.zip", "plates", reason="broken")
        return fetch(name, alias)

    monkeypatch.setattr(station.store, "get", rolled_back_meanwhile)
    station.updater.poll()
    assert (station.phase, station.updater.state.digest) == (Phase.ROLLING_BACK, second)
    station.updater.work()
    assert (station.running, station.phase) == (release(1).digest, Phase.ROLLED_BACK)
