"""How benchmarks say what they measured."""

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def print_figure(figure: str, **details: object) -> None:
    """Print one figure as a JSON object on a line of its own."""
    print(json.dumps({"figure": figure, **details}), flush=True)


def bench_cache() -> Path:
    """Where exported graphs are kept between benchmarks."""
    return Path(os.environ.get("ANDON_BENCH_CACHE") or Path(tempfile.gettempdir()) / "andon-bench-cache")


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds that ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
