"""What is wrong is said once for as long as it lasts."""

from tests.hardware.acquisition.devices import Reported

from andon.hardware.acquisition.standing import StandingFaults
from andon.models.types.errors import RecordError


def away(subject: str = "a") -> RecordError:
    return RecordError("acquisition.away", subject)


def test_a_fault_is_said_when_it_begins_and_when_it_is_another(reported: Reported) -> None:
    faults = StandingFaults(reported)
    for error in (away(), away(), away("b"), RecordError("acquisition.status", "a"), away()):
        faults.note(error)
    assert [(error.subject, error.code.split(".")[1]) for error in reported.errors] == [
        ("a", "away"),
        ("b", "away"),
        ("a", "status"),
        ("a", "away"),
    ]


def test_a_fault_is_said_again_after_its_subject_was_well(reported: Reported) -> None:
    faults = StandingFaults(reported)
    faults.note(away())
    faults.clear("b", "a")
    faults.note(away())
    faults.clear_all()
    faults.note(away())
    faults.clear("b")
    faults.note(away())
    assert len(reported.errors) == 3


def test_whoever_invents_subjects_does_not_fill_the_memory() -> None:
    said: list[str] = []
    faults = StandingFaults(lambda error: said.append(error.subject))
    for number in range(10_001):
        faults.note(away(str(number)))
    faults.note(away("10000"))
    faults.note(away("0"))
    assert said[-2:] == ["10000", "0"], "the oldest was forgotten, and no other"
