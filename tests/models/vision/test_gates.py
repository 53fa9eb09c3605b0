"""A frame that cannot be judged is named as such."""

from collections.abc import Callable

import cv2
import numpy as np

from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.runtime import make_inspector
from andon.models.types.vision import Frame, Verdict
from andon.models.vision.gates import failed_gate, measure_frame, teach_gates


def test_taught_frames_pass_and_gross_faults_fail(draw_plate: Callable[..., Frame]) -> None:
    frames = [draw_plate(seed) for seed in range(10)]
    gates = teach_gates(map(measure_frame, frames))
    assert [failed_gate(frame, gates) for frame in frames] == [None] * 10
    assert failed_gate(np.zeros_like(frames[0]), gates) == "exposure"
    assert failed_gate(np.full_like(frames[0], 255), gates) == "exposure"
    blurred = np.asarray(cv2.GaussianBlur(frames[0], (0, 0), 4), dtype=np.uint8)
    assert failed_gate(blurred, gates) == "focus"


def test_a_failed_gate_is_retake_never_ok(tiny_bundle: VisionBundle, draw_plate: Callable[..., Frame]) -> None:
    inspection = make_inspector(tiny_bundle).inspect(np.zeros_like(draw_plate(0)))
    assert inspection.verdict is Verdict.RETAKE
    assert inspection.reason == "exposure"
