"""A station's process, to be killed: releases come one after the other, every third fails once it runs.

``python updating.py STATION STORE KEY BUNDLE``: says in lines of JSON what it found when it started, and each release that has come to its end.
"""

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from andon.datasets.registry.folder_store import FolderStore
from andon.hardware.edge.updates.policy import UpdatePolicy
from andon.hardware.edge.updates.slots import Slots
from andon.hardware.edge.updates.state import Phase
from andon.hardware.edge.updates.updater import Updater, UpdateSettings
from andon.models.bundle.bundle import AnyBundle, Bundle
from andon.models.bundle.signature import Release, sign_bundle
from andon.models.bundle.storage import read_bundle
from andon.models.signing.keys import load_signing_key

NAME = "plates"
POLICY = UpdatePolicy(shadow_parts=5, probation_parts=5, probation_s=0.0, allowed_starts=1000)


def now() -> datetime:
    return datetime.now(UTC)


def say(**document: object) -> None:
    print(json.dumps(document), flush=True)


def main(station: Path, store_path: Path, key_path: Path, bundle_path: Path) -> None:
    """Update until killed."""
    key, store, plain = load_signing_key(key_path, None), FolderStore(store_path), read_bundle(bundle_path)
    slots = Slots(station)
    updater = Updater(slots, store, UpdateSettings(name=NAME, trusted=[key.public], policy=POLICY), now)
    updater.start()
    say(phase=updater.state.phase, running=updater.active and updater.active.digest, starts=updater.state.starts)
    number = slots.journal().highest.get(NAME, 0)
    while True:
        settle(updater, fails=number % 3 == 0)
        say(release=number, phase=updater.state.phase)
        number += 1
        store.promote(NAME, store.put(released(plain, number, key_path), NAME))
        updater.poll()


def released(plain: AnyBundle, number: int, key_path: Path) -> AnyBundle:
    changed = Bundle(replace(plain.manifest, seed=number), plain.files)
    return sign_bundle(changed, Release(NAME, number, now()), load_signing_key(key_path, None))


def settle(updater: Updater, fails: bool) -> None:
    """Judge parts until the update has come to an end."""
    while updater.state.phase in (Phase.SHADOW, Phase.PROBATION):
        if updater.candidate:
            updater.compared(updater.candidate.digest, "OK", "OK")
        if updater.active:
            updater.judged(updater.active.digest, failed=fails and updater.state.parts > 2)
        updater.work()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
