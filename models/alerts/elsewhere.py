"""Cases that the rules of another place hold: what is made here of what it says, where people here decided meanwhile. Pure.

The other place does not hear of what people here decide; it goes on as if nobody had. So its reminders are weighed against that, as the rules
that hold a case would: whoever acknowledged one is not reminded of it, and one that somebody resolved is opened again only where its fault is
still there.
"""

from dataclasses import dataclass, replace

from andon.models.alerts.case import Alert, AlertEvent, Case, CaseState


@dataclass(frozen=True, slots=True)
class Weighed:
    """What is made of an alert from elsewhere.

    Parameters
    ----------
    case
        As it stands here from now on.
    is_told
        Whether people are told of it.
    is_reopened
        Whether that opens a case again that was resolved.
    """

    case: Case
    is_told: bool
    is_reopened: bool = False


def weigh(kept: Case | None, alert: Alert) -> Weighed:
    """Weigh what another place says of a case against how it stands here.

    Parameters
    ----------
    kept
        How it stands here; None where nothing is known of it.
    """
    if kept is None:
        return Weighed(alert.case, is_told=True)
    if alert.event is AlertEvent.REMINDER and _is_settled(kept, alert.case):
        # From when on it counts as resolved stays, so that what is seen after that still opens it again.
        return Weighed(replace(alert.case, state=kept.state, notified=kept.notified), is_told=False)
    was_resolved = kept.state is CaseState.RESOLVED
    is_resolved = alert.case.state is CaseState.RESOLVED
    return Weighed(alert.case, not (was_resolved and is_resolved), was_resolved and not is_resolved)


def _is_settled(kept: Case, said: Case) -> bool:
    """Say whether somebody has taken a case on, or has resolved it and nothing abnormal was seen since."""
    if kept.state is CaseState.RESOLVED:
        return said.last_seen <= kept.notified
    return kept.state is CaseState.ACKNOWLEDGED
