"""``andon edge bench``: what this device can do with a bundle."""

import argparse
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import onnxruntime

from andon.hardware.profiles.affinity import bound_to
from andon.hardware.profiles.placing import Placed, Refusal, installed_runtime, place_bundle
from andon.hardware.profiles.profile import DEVICES, DeviceProfile, device_profile
from andon.hardware.profiles.speed import AROUND_S, SPREAD, Speed, frames_of, measure_speed
from andon.models.bundle.runtime import LoadedInspector
from andon.models.bundle.storage import read_bundle
from andon.models.command.console import Console
from andon.models.command.main import DONE, FAILED
from andon.models.command.options import natural, positive
from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import BundleError

INSPECTIONS = 300
"""Enough that the 99th percentile is not the worst one."""


def bench_options(parser: argparse.ArgumentParser, text: Catalogue) -> None:
    """Define the arguments of ``andon edge bench``."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help=text.text("help.bundle_path"))
    parser.add_argument("--takt", type=positive, metavar="S", help=text.text("help.edge_bench_takt"))
    parser.add_argument("--size", type=frame_size, metavar="HxW", help=text.text("help.edge_bench_size"))
    parser.add_argument("--device", choices=list(DEVICES), default="cpu", help=text.text("help.edge_bench_device"))
    parser.add_argument("--threads", type=natural, default="1", metavar="N", help=text.text("help.edge_bench_threads"))
    parser.add_argument("--cores", type=core_list, default="", metavar="N,N", help=text.text("help.edge_bench_cores"))


def frame_size(value: str) -> tuple[int, int]:
    """Read height and width in pixels.

    >>> frame_size("1024x1280")
    (1024, 1280)
    """
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", value)
    if found is None:
        raise argparse.ArgumentTypeError(f"{value!r} is not HxW in pixels, such as 1024x1280")
    return int(found[1]), int(found[2])


def core_list(value: str) -> tuple[int, ...]:
    """Read numbers of cores.

    >>> core_list("0,2")
    (0, 2)
    """
    return tuple(natural(each) for each in value.split(",")) if value else ()


@dataclass(frozen=True, slots=True)
class Report:
    """What ``andon edge bench`` found."""

    bundle: str
    profile: DeviceProfile
    placed: Placed
    load_s: float
    size: tuple[int, int]
    speed: Speed
    takt_s: float | None

    @property
    def holds(self) -> bool:
        """Whether the takt can be held, where one was asked for."""
        return self.takt_s is None or self.speed.holds(self.takt_s)

    def document(self, console: Console) -> dict[str, Any]:
        """Describe it for machines."""
        return {
            "bundle": self.bundle,
            "digest": self.placed.loaded.bundle.digest,
            "device": self.profile.name,
            "device_tested": self.profile.is_tested,
            "provider": self.placed.provider,
            "nodes": dict(self.placed.nodes),
            "refusals": [_refusal(each, console) for each in self.placed.refusals],
            "onnxruntime": onnxruntime.__version__,
            "threads": self.profile.threads,
            "cores": list(self.profile.cores),
            "size": list(self.size),
            "load_s": round(self.load_s, 3),
            "parity": asdict(self.placed.parity),
            "latency": asdict(self.speed.latency),
            "rates": [asdict(each) for each in self.speed.rates],
            "resident_mib": None if self.speed.resident_mib is None else round(self.speed.resident_mib, 1),
            "fastest_takt_s": round(self.speed.fastest_takt_s, 4),
            "takt_s": self.takt_s,
            "holds": self.holds,
        }


def bench(arguments: argparse.Namespace, console: Console) -> int:
    """Measure, tell, and fail where the takt cannot be held."""
    profile = device_profile(arguments.device, arguments.threads, arguments.cores)
    with bound_to(profile.cores), console.progress() as progress:
        started = perf_counter()
        placed = place_bundle(read_bundle(arguments.bundle), str(arguments.bundle), profile, installed_runtime())
        load_s = perf_counter() - started
        loaded = placed.loaded
        if not isinstance(loaded, LoadedInspector):
            label = loaded.bundle.manifest.label
            raise BundleError("bundle.kind", str(arguments.bundle), found=label, expected=LoadedInspector.kind)
        inspector = loaded.inspector
        size = arguments.size or (inspector.scorer.height, inspector.scorer.width)
        cores = len(os.sched_getaffinity(0))
        speed = measure_speed(inspector.inspect, frames_of(*size), INSPECTIONS, cores, progress)
    report = Report(str(arguments.bundle), profile, placed, load_s, size, speed, arguments.takt)
    console.emit(report.document(console))
    _tell(report, console)
    return DONE if report.holds else FAILED


def _refusal(refusal: Refusal, console: Console) -> dict[str, str]:
    return {"provider": refusal.provider, "reason": console.catalogue.error(refusal.error)}


def _tell(report: Report, console: Console) -> None:
    placed, speed = report.placed, report.speed
    for refusal in placed.refusals:
        console.say("profile.not_used", **_refusal(refusal, console))
    if not report.profile.is_tested:
        console.say("profile.untested", device=report.profile.name)
    height, width = report.size
    console.say(
        "profile.loaded",
        bundle=report.bundle,
        provider=placed.provider,
        threads=report.profile.threads,
        load_s=f"{report.load_s:.2f}",
    )
    console.say(
        "profile.parity",
        goldens=placed.parity.n_goldens,
        found=f"{placed.parity.worst:.1e}",
        expected=f"{placed.parity.tolerance:.0e}",
    )
    console.say(
        "profile.latency",
        height=height,
        width=width,
        count=speed.latency.inspections,
        p50=f"{speed.latency.p50_ms:.1f}",
        p99=f"{speed.latency.p99_ms:.1f}",
        max=f"{speed.latency.max_ms:.1f}",
    )
    for rate in speed.rates:
        console.say("profile.rate", judges=rate.judges, per_s=f"{rate.per_s:.1f}", p99=f"{rate.p99_ms:.1f}")
    if speed.resident_mib is not None:
        console.say("profile.memory", mib=f"{speed.resident_mib:.0f}")
    takt = {"fastest": f"{speed.fastest_takt_s:.3f}"}
    console.say("profile.takt", spread=f"{SPREAD:g}", around_ms=f"{AROUND_S * 1e3:.0f}", **takt)
    if report.takt_s is not None:
        console.say("profile.holds" if report.holds else "profile.holds_not", takt=f"{report.takt_s:g}", **takt)
