"""Attempts that end in time, and waits between them."""

from random import Random
from threading import Event

from hypothesis import given
from hypothesis import strategies as st

from andon.serving.notify.channels import BUSY, Bounded, Failed, Message, Outcome, Sent, Tone
from andon.serving.notify.retrying import Backoff

MESSAGE = Message("1", "title", "body", Tone.NEWS, ({},))


class Stuck:
    in_order = True

    def __init__(self) -> None:
        self.free = Event()
        self.attempts = 0

    def send(self, message: Message) -> Outcome:
        self.attempts += 1
        self.free.wait()
        return Sent()


def test_an_attempt_that_never_ends_is_a_failure_and_no_other_begins() -> None:
    stuck = Stuck()
    bounded = Bounded(stuck, 0.05)
    assert bounded.send(MESSAGE) == Failed("no answer within 0.05 s")
    assert bounded.send(MESSAGE) == Failed(BUSY)
    assert stuck.attempts == 1
    stuck.free.set()
    assert bounded._attempt
    bounded._attempt.join()
    assert bounded.send(MESSAGE) == Sent()


@given(st.integers(1, 10_000), st.integers(), st.floats(0.01, 100), st.floats(1, 1000))
def test_waits_double_up_to_the_longest_and_are_shortened_by_up_to_a_half(
    failures: int, seed: int, first_s: float, times: float
) -> None:
    backoff = Backoff(first_s, first_s * times)
    delay_s = backoff.delay_s(failures, Random(seed))
    full_s = min(first_s * times, first_s * 2.0 ** min(failures - 1, 40))
    assert full_s / 2 <= delay_s <= full_s


def test_many_senders_do_not_come_at_once() -> None:
    assert len({Backoff(1.0, 60.0).delay_s(3, Random(seed)) for seed in range(50)}) == 50
