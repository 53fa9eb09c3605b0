from concurrent.futures import ThreadPoolExecutor

import pytest

from andon.serving.engine.statistics import Spans, Statistics


def test_a_success_counts_its_frames_and_spans() -> None:
    statistics = Statistics()
    for _ in range(2):
        with statistics.request() as finish:
            assert statistics.counts.pending == 1
            finish(3, Spans(1, 2, 3, 4))
    counts = statistics.counts
    assert (counts.successes, counts.failures, counts.frames, counts.pending) == (2, 0, 6, 0)
    assert counts.spans == Spans(2, 4, 6, 8)
    assert counts.success_ns > 0 == counts.failure_ns


def test_a_block_that_raises_is_a_failure() -> None:
    statistics = Statistics()
    with pytest.raises(KeyError), statistics.request():
        raise KeyError
    counts = statistics.counts
    assert (counts.successes, counts.failures, counts.frames, counts.pending) == (0, 1, 0, 0)
    assert counts.failure_ns > 0 == counts.success_ns


def test_no_count_is_lost_between_threads() -> None:
    statistics = Statistics()

    def work(_: int) -> None:
        for _ in range(200):
            with statistics.request() as finish:
                finish(1, Spans(1, 1, 1, 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert statistics.counts.successes == statistics.counts.spans.queue == 1600
    assert statistics.counts.pending == 0
