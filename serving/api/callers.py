"""Who sent a request, and what they may take with them."""

from starlette.requests import Request

from andon.serving.security.grades import Destination, Grade, may_export
from andon.serving.security.roles import NOBODY, Caller


def caller_of(request: Request) -> Caller:
    """Say who sent a request."""
    caller: Caller = request.scope.get("state", {}).get("caller", NOBODY)
    return caller


def operator_of(request: Request) -> str | None:
    """Name who sent a request; None where nobody had to say so."""
    caller = caller_of(request)
    return None if caller.is_anonymous else caller.name


def customer_of(request: Request) -> str | None:
    """Say whose machines the sender of a request may see; None for all."""
    return caller_of(request).customer


def check_grade(request: Request, grade: Grade, destination: Destination) -> None:
    """Let data of a grade go only to those who may take them.

    Parameters
    ----------
    destination
        ``HERE`` for what is looked at one by one, ``INSIDE`` for what is taken away as a whole.

    Raises
    ------
    ForbiddenError
        They may not.
    """
    may_export(grade, caller_of(request).role, destination).require(request.url.path)
