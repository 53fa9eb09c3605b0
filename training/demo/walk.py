"""What the demo shows of the parts that it sent."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from andon.hardware.sim.replay_camera import ReplayCamera
from andon.models.command.console import Console
from andon.models.evaluation.inspection import Evaluation, Judged, brightness
from andon.models.evaluation.pixels import PixelHistogram
from andon.models.types.vision import Defect, ImageSample, Verdict
from andon.training.demo.service import Reply, Station

SHOWN = 16


def send_all(
    station: Station, samples: Sequence[ImageSample], threshold: float, console: Console
) -> tuple[Evaluation, list[Reply]]:
    """Let a simulated camera show ``samples`` to ``station`` one after the other, and collect the verdicts."""
    judged, replies = [], []
    with console.progress() as progress, ReplayCamera(samples) as camera:
        for done, (sample, frame) in enumerate(zip(samples, camera.frames(), strict=True), start=1):
            reply = station.send(frame, sample.name)
            replies.append(reply)
            judged.append(_judged(sample, reply, brightness(frame)))
            progress("demo.sending", done, len(samples))
    return Evaluation(tuple(judged), PixelHistogram(threshold)), replies


def shown(evaluation: Evaluation, seed: int) -> list[int]:
    """Choose parts to show by chance, as many good as bad: their positions in the evaluation."""
    generator = np.random.default_rng(seed)
    good = [index for index, each in enumerate(evaluation.judged) if each.sample.is_good]
    bad = [index for index, each in enumerate(evaluation.judged) if not each.sample.is_good]
    return sorted(int(index) for group in (good, bad) for index in generator.permutation(group)[: SHOWN // 2])


def verdict_table(
    evaluation: Evaluation, replies: Sequence[Reply], positions: Sequence[int], console: Console
) -> Table:
    """Build a table of the parts at ``positions``: truth, verdict, score, and milliseconds in the service and in all."""
    table = Table(
        *(console.text(f"demo.{name}") for name in ("part", "truth", "verdict", "score", "inside", "round_trip"))
    )
    for position in positions:
        judged, reply = evaluation.judged[position], replies[position]
        right = (judged.verdict is Verdict.OK) is judged.sample.is_good
        table.add_row(
            judged.sample.name,
            console.text("demo.good" if judged.sample.is_good else "demo.bad"),
            f"[{'green' if right else 'red'}]{judged.verdict}[/]",
            f"{judged.score:.2f}",
            f"{judged.total_ms:.1f}",
            f"{reply.round_trip_ms:.1f}",
        )
    return table


def confusion_table(evaluation: Evaluation, console: Console) -> Table:
    """Build the table of counts: truth by verdict."""
    table = Table("", *(verdict.value for verdict in Verdict))
    for is_good, label in ((True, "demo.good"), (False, "demo.bad")):
        verdicts = [each.verdict for each in evaluation.judged if each.sample.is_good is is_good]
        table.add_row(console.text(label), *(str(verdicts.count(verdict)) for verdict in Verdict))
    return table


def _judged(sample: ImageSample, reply: Reply, grey: float) -> Judged:
    document = reply.document
    defects = tuple(
        Defect(tuple(each["bbox"]), each["score"], each["area_px"], each["class"]) for each in document["defects"]
    )
    total_ms = float(document["milliseconds"]["total"])
    return Judged(sample, Verdict(document["verdict"]), float(document["score"]), defects, grey, total_ms)
