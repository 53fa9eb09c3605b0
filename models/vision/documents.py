"""An inspection as the document that the command line prints and the service answers."""

from dataclasses import replace
from typing import Any

from andon.models.types.vision import Inspection


def inspection_document(inspection: Inspection, decode_ms: float) -> dict[str, Any]:
    """Build the ``inspect`` object: verdict, score, threshold, reason, defects and milliseconds of each stage.

    Parameters
    ----------
    decode_ms
        What reading and decoding the image took before it was inspected.
    """
    timings = replace(inspection.milliseconds, decode=decode_ms)
    return {
        "verdict": inspection.verdict.value,
        "score": inspection.score,
        "threshold": inspection.threshold,
        "reason": inspection.reason,
        "defects": [
            {"bbox": list(defect.bbox), "score": defect.score, "area_px": defect.area_px, "class": defect.label}
            for defect in inspection.defects
        ],
        "milliseconds": {
            "decode": round(timings.decode, 3),
            "gates": round(timings.gates, 3),
            "score": round(timings.score, 3),
            "total": round(timings.total, 3),
        },
    }
