"""Small trends as SVG."""

from collections.abc import Sequence
from datetime import datetime

from andon.datasets.store.assets import TrendPoint

WIDTH, HEIGHT, EDGE = 360.0, 56.0, 4.0


def sparkline(points: Sequence[TrendPoint], since: datetime, until: datetime) -> str:
    """Draw the mean as a line within the band from the lowest to the highest value, from zero where all are above it."""
    low = min(0.0, *(each.low for each in points))
    height = max(each.high for each in points) - low or 1.0

    def at(time: datetime, value: float) -> str:
        x = EDGE + (WIDTH - 2 * EDGE) * ((time - since) / (until - since))
        return f"{x:.1f},{HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (value - low) / height:.1f}"

    upper = [at(each.time, each.high) for each in points]
    lower = [at(each.time, each.low) for each in reversed(points)]
    line = [at(each.time, each.mean) for each in points]
    x, _, y = line[-1].partition(",")
    return (
        f'<svg class="trend" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" width="{WIDTH:g}" height="{HEIGHT:g}">'
        f'<line x1="{EDGE:g}" x2="{WIDTH - EDGE:g}" y1="{HEIGHT - EDGE:g}" y2="{HEIGHT - EDGE:g}" stroke="#bbb"/>'
        f'<polygon points="{" ".join(upper + lower)}" fill="#c9dcee"/>'
        f'<polyline points="{" ".join(line)}" fill="none" stroke="#1f5f99" stroke-width="1.5"/>'
        f'<circle cx="{x}" cy="{y}" r="2.5" fill="#1f5f99"/></svg>'
    )
