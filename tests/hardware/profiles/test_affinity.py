"""Threads keep to the cores that are meant for them."""

import os
from threading import Thread

import pytest

from andon.hardware.profiles.affinity import bound_to, keep_to
from andon.models.types.errors import OptionError

HERE = sorted(os.sched_getaffinity(0))


def test_a_thread_and_those_it_starts_keep_to_the_cores_until_it_is_over() -> None:
    seen: list[set[int]] = []
    with bound_to(HERE[-1:]):
        started = Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        started.start()
        started.join()
        assert seen == [os.sched_getaffinity(0)] == [{HERE[-1]}]
    assert os.sched_getaffinity(0) == set(HERE)


def test_no_cores_are_all_cores() -> None:
    with bound_to(()):
        assert os.sched_getaffinity(0) == set(HERE)


def test_a_thread_keeps_to_its_cores_for_good() -> None:
    seen: list[set[int]] = []

    def work() -> None:
        for cores in (HERE[-1:], ()):
            keep_to(cores)
            seen.append(os.sched_getaffinity(0))

    started = Thread(target=work)
    started.start()
    started.join()
    assert seen == [{HERE[-1]}] * 2
    assert os.sched_getaffinity(0) == set(HERE)


def test_a_thread_is_let_go_however_it_ends() -> None:
    with pytest.raises(KeyError), bound_to(HERE[:1]):
        raise KeyError
    assert os.sched_getaffinity(0) == set(HERE)


@pytest.mark.parametrize("cores", [[4095], [HERE[0], 4095], [1 << 40]])
def test_a_core_that_is_not_there_is_named_and_nothing_is_bound(cores: list[int]) -> None:
    """Also one beside a core that is there, which the system itself passes over."""
    with pytest.raises(OptionError, match=rf"profile\.cores.*found=\[.*{cores[-1]}\]"), bound_to(cores):
        raise AssertionError
    assert os.sched_getaffinity(0) == set(HERE)
