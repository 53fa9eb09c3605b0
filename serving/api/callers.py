"""Who sent a request."""

from starlette.requests import Request


def operator_of(request: Request) -> str | None:
    """Name who sent a request; None where nobody had to say so."""
    caller = request.scope.get("state", {}).get("caller")
    return None if caller is None or caller.is_anonymous else caller.name


def customer_of(request: Request) -> str | None:
    """Say whose machines the sender of a request may see; None for all."""
    caller = request.scope.get("state", {}).get("caller")
    return None if caller is None else caller.customer
