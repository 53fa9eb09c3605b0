"""Show a person what the inspector saw."""

import cv2
import numpy as np

from andon.models.types.vision import Frame, Inspection, ScoreMap, Verdict

MIN_SIDE_PX = 320
BAND_PX = 36
_COLOURS = {Verdict.OK: (30, 140, 60), Verdict.NG: (200, 40, 40), Verdict.RETAKE: (200, 130, 0)}
_BOX = (255, 40, 40)


def overlay(frame: Frame, inspection: Inspection) -> Frame:
    """Draw ``frame`` with its defects beside its score map, under a band with the verdict.

    The map's colours run from zero to twice the threshold, so that equal colours mean equal scores on all images of one
    detector; what is above the threshold is in the warm half.

    Returns
    -------
    Frame
        uint8 ``[height, width, 3]``, small images enlarged so that the text can be read.
    """
    scale = max(1.0, MIN_SIDE_PX / min(frame.shape[:2]))
    size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
    photo = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    heat = cv2.addWeighted(photo, 0.5, _heat(inspection.score_map, inspection.threshold, size), 0.5, 0)
    panels = np.hstack([_with_boxes(photo, inspection, scale), np.asarray(heat, dtype=np.uint8)])
    return np.vstack([_band(inspection, panels.shape[1]), panels])


def encode_png(image: Frame) -> bytes:
    """Encode an RGB image as PNG."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def _heat(score_map: ScoreMap, threshold: float, size: tuple[int, int]) -> Frame:
    relative = np.clip(score_map / max(2 * threshold, 1e-12), 0, 1)
    enlarged = cv2.resize((relative * 255).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(enlarged, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _with_boxes(photo: Frame, inspection: Inspection, scale: float) -> Frame:
    drawn = photo.copy()
    for defect in inspection.defects:
        x1, y1, x2, y2 = (round(edge * scale) for edge in defect.bbox)
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), _BOX, 2)
    return drawn


def _band(inspection: Inspection, width: int) -> Frame:
    band = np.full((BAND_PX, width, 3), _COLOURS[inspection.verdict], np.uint8)
    reason = f" {inspection.reason}" if inspection.reason else ""
    text = f"{inspection.verdict}{reason}  score {inspection.score:.2f}  threshold {inspection.threshold:.2f}"
    cv2.putText(band, text, (10, BAND_PX - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    return band
