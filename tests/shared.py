"""Real data that lie beside a checkout, where there are any: read in place, never copied."""

from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared"
SKAB = SHARED / "data" / "skab"
SCORE_SKAB = SHARED / "tools" / "score_skab.py"
