"""How long a station takes to take or refuse a version of a bundle of 2 MB, and what a part costs while one is watched."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
import onnx
from onnx import numpy_helper
from tests.bench.figures import print_figure, seconds
from tests.conftest import CARD, plate_sample, tiny_graph

from andon.datasets.registry.folder_store import FolderStore
from andon.hardware.edge.updates.policy import UpdatePolicy
from andon.hardware.edge.updates.slots import Slots
from andon.hardware.edge.updates.state import Phase
from andon.hardware.edge.updates.updater import Updater, UpdateSettings
from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.signature import Release, sign_bundle
from andon.models.bundle.storage import pack_bundle
from andon.models.bundle.teaching import Lesson, teach
from andon.models.signing.keys import SigningKey, generate_key
from andon.models.vision.fitting import FitOptions

NAME, ROUNDS, PARTS = "plates", 9, 10_000
WEIGHTS = 500_000
"""Numbers that the graph carries without using them: 2 MB."""


def main(_: Sequence[str] = ()) -> None:
    """Print one JSON object a figure."""
    key, plain = generate_key(), _bundle()
    size = len(pack_bundle(plain))
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder) / "store")
        policy = UpdatePolicy(shadow_parts=PARTS, probation_parts=0, probation_s=0.0, retry_s=0.0)
        settings = UpdateSettings(name=NAME, trusted=[key.public], policy=policy)
        updater = Updater(Slots(Path(folder) / "station"), store, settings, lambda: datetime.now(UTC))
        updater.start()
        _publish(store, _released(plain, 1, key))
        updater.poll()
        accepted, switched, parts = zip(
            *(_one_update(updater, store, _released(plain, number, key)) for number in range(2, ROUNDS + 2)),
            strict=True,
        )
        print_figure("update_proved_s", median=median(accepted), bytes=size, rounds=ROUNDS)
        print_figure("update_switched_s", median=median(switched), rounds=ROUNDS)
        print_figure("update_part_us", median=median(parts) * 1e6, parts=PARTS)
        refused = [_refusal(updater, store, _released(plain, 99, generate_key())) for _ in range(ROUNDS)]
        print_figure("update_refused_s", median=median(refused), bytes=size, rounds=ROUNDS)


def _one_update(updater: Updater, store: FolderStore, bundle: VisionBundle) -> tuple[float, float, float]:
    """Seconds until it is in the shadow, from the last part to its switch, and for each part that is compared."""
    _publish(store, bundle)
    proved_s = seconds(updater.poll)
    assert updater.candidate
    digest = updater.candidate.digest
    part_s = seconds(lambda: _compare(updater, digest)) / PARTS
    switched_s = seconds(updater.work)
    updater.work()
    assert updater.state.phase is Phase.KEPT
    return proved_s, switched_s, part_s


def _compare(updater: Updater, digest: str) -> None:
    for _ in range(PARTS):
        updater.compared(digest, "OK", "OK")


def _refusal(updater: Updater, store: FolderStore, bundle: VisionBundle) -> float:
    _publish(store, bundle)
    refused_s = seconds(updater.poll)
    assert updater.state.phase is Phase.REFUSED
    return refused_s


def _publish(store: FolderStore, bundle: VisionBundle) -> None:
    store.promote(NAME, store.put(bundle, NAME))


def _released(plain: VisionBundle, number: int, key: SigningKey) -> VisionBundle:
    changed = replace(plain, manifest=replace(plain.manifest, seed=number))
    return sign_bundle(changed, Release(NAME, number, datetime.now(UTC)), key)


def _bundle() -> VisionBundle:
    model = onnx.load_model_from_string(tiny_graph())
    noise = np.random.default_rng(0).normal(size=WEIGHTS).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(noise, "ballast"))
    lesson = Lesson(model.SerializeToString(), [plate_sample(each) for each in range(12)], (), CARD, {"graph": "tiny"})
    return teach(lesson, FitOptions(overkill=0.2, bank_size=64))[0]


if __name__ == "__main__":
    main()
