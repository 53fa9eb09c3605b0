"""Make the README's pictures with the product itself: ``python docs/pictures.py``.

One good board, the worst board of four defect types, and the defect that scores lowest of all: what it misses belongs in
the picture too. And the envelope of a generated machine with a damaged outer race.
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from andon.datasets.synthetic.bearings.generator import generate
from andon.datasets.synthetic.bearings.scenario import Scenario
from andon.datasets.vision.sources import open_dataset
from andon.models.bundle.runtime import make_inspector
from andon.models.command.options import andon_home
from andon.models.evaluation.inspection import Evaluation, Judged
from andon.models.messages.catalogue import catalogue
from andon.models.plots.envelope import envelope_plot
from andon.models.types.progress import silent
from andon.models.types.vibration import Fault, Machine
from andon.models.vibration.diagnosis import PhysicsDiagnoser
from andon.models.vision.fitting import FitOptions
from andon.models.vision.overlays import overlay
from andon.training.pipelines.vision import train_patchcore

SIZE = (512, 512)
SHOWN = ("missing_part", "scratch", "copper", "pin_hole")
COLUMNS = 2
QUALITY = 88
IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Write both pictures."""
    IMAGES.mkdir(exist_ok=True)
    draw_boards(IMAGES / "boards.jpg")
    draw_envelope(IMAGES / "envelope.png")


def draw_envelope(path: Path) -> None:
    """Diagnose a generated machine and draw what it rests on."""
    scenario = Scenario(fault=Fault.OUTER_RACE, rpm=1480.0, snr_db=-8.0, slip=-0.004, duration_s=3.0)
    signal = generate(scenario, seed=0).signal
    found = PhysicsDiagnoser().diagnose(signal, Machine())
    path.write_bytes(envelope_plot(signal, Machine(), found, catalogue("en"), "synthetic:bearing"))


def draw_boards(path: Path) -> None:
    """Train on generated boards and draw what is found on six of them."""
    trained = train_patchcore(
        open_dataset("synthetic:pcb"), SIZE, FitOptions(), andon_home(os.environ) / "cache", silent, lambda _: None
    )
    inspector = make_inspector(trained.bundle)
    frames = [each.sample.frame() for each in _shown(trained.evaluation)]
    panels = [overlay(frame, inspector.inspect(frame)) for frame in frames]
    rows = [np.hstack(panels[start : start + COLUMNS]) for start in range(0, len(panels), COLUMNS)]
    Image.fromarray(np.vstack(rows)).save(path, quality=QUALITY)


def _shown(evaluation: Evaluation) -> list[Judged]:
    ranked = sorted(evaluation.judged, key=lambda each: -each.score)
    good = next(each for each in reversed(ranked) if each.sample.is_good)
    worst = [next(each for each in ranked if each.sample.label == label) for label in SHOWN]
    missed = next(each for each in reversed(ranked) if not each.sample.is_good)
    return [good, *worst, missed]


if __name__ == "__main__":
    main()
