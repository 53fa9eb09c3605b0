"""``kill -9`` at any moment of an update: a whole bundle runs, old or new, and the next process knows where it was."""

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from andon.hardware.edge.updates.slots import Slots
from andon.hardware.edge.updates.state import Phase
from andon.models.bundle.runtime import load_bundle
from andon.models.signing.keys import generate_key, write_key_pair

KILLS = 100 if os.environ.get("ANDON_SOAK") else 3
LONGEST_S = 0.6
"""From the first word of the process to its end."""

SETTLED = {Phase.IDLE, Phase.SHADOW, Phase.PROBATION, Phase.KEPT, Phase.ROLLED_BACK, Phase.REFUSED}


@contextmanager
def process(*words: Path) -> Iterator["subprocess.Popen[str]"]:
    script = Path(__file__).with_name("updating.py")
    started = subprocess.Popen([sys.executable, script, *words], stdout=subprocess.PIPE, text=True)
    with started:
        try:
            yield started
        finally:
            started.kill()


@pytest.mark.soak
def test_a_killed_update_leaves_a_whole_version(
    bundle_dir: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    key, station, chance = tmp_path / "site.pem", tmp_path / "station", random.Random(5)
    write_key_pair(generate_key(), key, None)
    found: dict[str, int] = {}
    ended, highest = 0, 0
    for _ in range(KILLS):
        with process(station, tmp_path / "store", key, bundle_dir) as running:
            assert running.stdout
            begun: dict[str, Any] = json.loads(running.stdout.readline())
            assert begun["phase"] in SETTLED
            threading.Event().wait(chance.uniform(0, LONGEST_S))
            running.kill()
            ended += sum('"release"' in line for line in running.stdout.read().splitlines())
        phase = check(station)
        found[phase] = found.get(phase, 0) + 1
        reached = Slots(station).journal().highest.get("plates", 0)
        assert reached >= highest, "what was accepted is not forgotten"
        highest = reached
    for name, value in {"kills": KILLS, "updates": ended, **{f"killed_{each}": n for each, n in found.items()}}.items():
        record_property(name, value)
    with process(station, tmp_path / "store", key, bundle_dir) as running:
        assert running.stdout
        assert json.loads(running.stdout.readline())["phase"] in SETTLED


def check(station: Path) -> str:
    """The links and what is remembered agree, and what runs is whole."""
    slots = Slots(station)
    state, journal, current = slots.state(), slots.journal(), slots.current
    for link in ("current", "previous"):
        if (station / link).is_symlink():
            assert load_bundle((station / link).resolve()).bundle.digest == (station / link).readlink().name
    if current is None:
        assert not journal.acceptances or state.phase is Phase.SWITCHING
        return state.phase.value
    assert journal.of(current)
    former, new = {state.former}, {state.digest}
    allowed: dict[Phase, set[str | None]] = {
        Phase.IDLE: {current},
        **dict.fromkeys((Phase.FETCHED, Phase.CHECKED, Phase.SHADOW, Phase.REFUSED, Phase.ROLLED_BACK), former),
        **dict.fromkeys((Phase.PROBATION, Phase.KEPT), new),
        **dict.fromkeys((Phase.SWITCHING, Phase.ROLLING_BACK), former | new),
    }
    assert current in allowed[state.phase]
    withdrawn = journal.of(state.digest)
    assert state.phase is not Phase.ROLLED_BACK or (withdrawn and withdrawn.withdrawn)
    return state.phase.value
