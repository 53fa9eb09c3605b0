"""Fitting against extracting features, and one inspection against the truncated backbone, each pair in turns in one run.

Needs the extras ``train`` and ``demo``.
"""

import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from os import cpu_count
from statistics import median

import cv2
import numpy as np
import onnxruntime
import torch
from tests.bench.figures import bench_cache, print_figure, seconds

from andon.datasets.vision.sources import open_dataset
from andon.models.nets.efficientnet import LiteFeatures
from andon.models.types.progress import silent
from andon.models.types.vision import Frame, ImageSample, Split
from andon.models.vision.fitting import FitOptions, build_bank, describe
from andon.models.vision.graph import PatchGraph
from andon.models.vision.inspector import PatchInspector, PatchScorer
from andon.models.vision.preprocessing import INTENSITIES, STANDARDISED, fit_to
from andon.training.export.patchcore import patchcore_graph

SIZE = 256
ROUNDS = 5
IMAGES = 60


def main(_: Sequence[str] = ()) -> None:
    """Print one JSON object a figure."""
    dataset = open_dataset("elpv:mono", 0)
    graph = PatchGraph(patchcore_graph(SIZE, SIZE, bench_cache()))
    train = dataset.samples(Split.TRAIN)
    _report_fitting(graph, train)
    _report_inspection(graph, train, [sample.frame() for sample in dataset.samples(Split.TEST)[:IMAGES]])


def _report_fitting(graph: PatchGraph, train: Sequence[ImageSample]) -> None:
    options = FitOptions()

    def extract() -> None:
        with ThreadPoolExecutor(cpu_count()) as pool:
            list(pool.map(lambda sample: graph.features(_image(sample.frame())), train))

    def fit() -> None:
        described = describe(graph, train, STANDARDISED, options, silent)
        build_bank(described, options, lambda *_: None)

    pairs = [(seconds(fit), seconds(extract)) for _ in range(ROUNDS + 1)][1:]
    print_figure(
        "fitting 200 images (features and coreset) over extracting their features",
        value=round(median(whole / features for whole, features in pairs), 2),
        bound="<= 3",
        fit_s=round(median(whole for whole, _ in pairs), 2),
        features_s=round(median(features for _, features in pairs), 2),
    )


def _report_inspection(graph: PatchGraph, train: Sequence[ImageSample], frames: Sequence[Frame]) -> None:
    cv2.setNumThreads(1)
    options = FitOptions()
    bank = build_bank(describe(graph, train, STANDARDISED, options), options, lambda *_: None)
    inspector = PatchInspector(PatchScorer(graph, bank, STANDARDISED), 50.0)
    backbone = backbone_session()
    pairs = [
        (seconds(partial(inspector.inspect, frame)), seconds(partial(_run, backbone, _image(frame))))
        for frame in frames
    ][5:]
    print_figure(
        "one image, one thread, resize to verdict, over the truncated backbone alone",
        value=round(median(whole / alone for whole, alone in pairs), 2),
        bound="<= 2.2",
        inspect_ms=round(1e3 * median(whole for whole, _ in pairs), 2),
        backbone_ms=round(1e3 * median(alone for _, alone in pairs), 2),
        bank=list(bank.shape),
    )


def _image(frame: Frame) -> Frame:
    return INTENSITIES[STANDARDISED](fit_to(frame, SIZE, SIZE))


def backbone_session(side: int = SIZE) -> onnxruntime.InferenceSession:
    example = (torch.zeros((1, side, side, 3), dtype=torch.uint8),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            LiteFeatures().eval(), example, dynamo=True, verbose=False, opset_version=18, input_names=["image"]
        )
    assert program is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        program.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _run(session: onnxruntime.InferenceSession, image: Frame) -> list[np.ndarray]:
    return list(session.run(None, {"image": image[None]}))


if __name__ == "__main__":
    main(sys.argv[1:])
