from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.datasets.synthetic.boards import Board, Counts, open_synthetic
from andon.datasets.synthetic.defects import DEFECTS
from andon.datasets.synthetic.layout import Layout, design
from andon.models.types.vision import Split

SEEDS = (0, 1, 2, 3, 4)
SHADOW_PX = 12


@pytest.fixture(scope="module")
def boards() -> list[Board]:
    return [Board.from_seed(seed) for seed in SEEDS]


def test_the_same_seed_and_serial_give_the_same_bytes(boards: list[Board]) -> None:
    for defect in DEFECTS:
        frame, mask = boards[0].photograph(7, defect)
        again, mask_again = Board.from_seed(0).photograph(7, defect)
        assert frame.tobytes() == again.tobytes()
        assert mask.tobytes() == mask_again.tobytes()


def test_parts_and_designs_differ(boards: list[Board]) -> None:
    frames = [board.photograph(serial)[0].tobytes() for board in boards for serial in range(2)]
    assert len(set(frames)) == len(frames)


def test_a_good_part_has_an_empty_mask(boards: list[Board]) -> None:
    frame, mask = boards[0].photograph(3)
    assert (frame.shape, mask.shape) == ((320, 320, 3), (320, 320))
    assert (frame.dtype.name, mask.dtype.name) == ("uint8", "bool")
    assert not mask.any()


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("severity", [0.0, 0.5, 1.0])
def test_a_defect_changes_the_image_where_its_mask_says(boards: list[Board], defect: str, severity: float) -> None:
    for serial, board in enumerate(boards):
        bad, mask = board.photograph(serial, defect, severity)
        good, _ = board.photograph(serial)
        change = np.abs(bad.astype(int) - good).max(axis=2)
        near = cv2.dilate(mask.astype(np.uint8), np.ones((2 * SHADOW_PX + 1,) * 2)) > 0
        assert mask.any()
        assert change[mask].mean() > 4 * max(1.0, change[~near].mean())
        assert change[~near].max() <= 1


@pytest.mark.parametrize("defect", sorted(set(DEFECTS) - {"missing_part"}))
def test_a_plain_defect_is_larger_than_a_subtle_one(boards: list[Board], defect: str) -> None:
    subtle, plain = (
        np.mean([board.photograph(serial, defect, severity)[1].sum() for serial, board in enumerate(boards)])
        for severity in (0.0, 1.0)
    )
    assert plain > 1.5 * subtle


ISLANDS_MORE = {"open": {1}, "short": {-1, -2}, "mousebite": {0}, "spur": {0}, "copper": {1}, "pin_hole": {0}}


@pytest.mark.parametrize("defect", ISLANDS_MORE)
def test_a_defect_of_the_copper_does_to_the_nets_what_its_name_says(boards: list[Board], defect: str) -> None:
    for board in boards:
        for severity in (0.0, 0.5, 1.0):
            copper = DEFECTS[defect](board.place, severity, np.random.default_rng(5)).copper
            assert copper is not None
            assert islands(copper) - islands(board.layers.copper) in ISLANDS_MORE[defect]


def test_no_two_nets_of_a_design_touch(boards: list[Board]) -> None:
    for board in boards:
        _, island = cv2.connectedComponents((board.layers.copper > 127).astype(np.uint8))
        is_traced = board.layers.nets > 0
        pairs = set(zip(island[is_traced].tolist(), board.layers.nets[is_traced].tolist(), strict=True))
        assert max(Counter(number for number, _ in pairs if number).values()) == 1


def islands(copper: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> int:
    return int(cv2.connectedComponents((copper > 127).astype(np.uint8))[0])


@given(st.integers(0, 2**32), st.integers(36, 60))
@settings(max_examples=15, deadline=None)
def test_traces_run_at_45_and_90_degrees_and_never_touch_another_net(seed: int, cells: int) -> None:
    layout = design(cells, np.random.default_rng(seed))
    owners: dict[tuple[int, int], int] = {}
    for trace in layout.traces:
        assert all(
            max(abs(a - c), abs(b - d)) == 1 for (a, b), (c, d) in zip(trace.cells, trace.cells[1:], strict=False)
        )
        assert all(owners.setdefault(cell, trace.net) == trace.net for cell in trace.cells)
    assert not crossing_diagonals(layout)


def crossing_diagonals(layout: Layout) -> list[tuple[int, int]]:
    steps = {
        (a + c, b + d): (trace.net, (c - a) * (d - b))
        for trace in layout.traces
        for (a, b), (c, d) in zip(trace.cells, trace.cells[1:], strict=False)
        if (c - a) * (d - b) == 1
    }
    return [
        (a + c, b + d)
        for trace in layout.traces
        for (a, b), (c, d) in zip(trace.cells, trace.cells[1:], strict=False)
        if (c - a) * (d - b) == -1 and steps.get((a + c, b + d), (trace.net, 1))[0] != trace.net
    ]


def test_the_set_has_each_defect_equally_and_no_part_twice() -> None:
    data = open_synthetic("pcb", 4, Counts(train=3, calibration=2, good=2, bad=1))
    assert data.card.counts == {"calibration/good": 2, "test/good": 2, "train/good": 3} | {
        f"test/{defect}": 1 for defect in DEFECTS
    }
    units = Counter(sample.unit for split in Split for sample in data.samples(split))
    assert set(units.values()) == {1}
    assert data.card.checksum == open_synthetic("pcb", 4, Counts(3, 2, 2, 1)).card.checksum
    assert data.card.checksum != open_synthetic("pcb", 5, Counts(3, 2, 2, 1)).card.checksum


def test_a_sample_reads_as_its_board_is_photographed(boards: list[Board]) -> None:
    sample = open_synthetic("pcb", 0, Counts(1, 0, 0, 1)).samples(Split.TEST)[3]
    frame, mask = boards[0].photograph(4, sample.label, 0.5)
    assert sample.mask is not None
    assert np.array_equal(sample.frame(), frame)
    assert np.array_equal(sample.mask(), mask)


def test_a_view_too_small_for_the_board_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 256"):
        Board.from_seed(0, 128)
