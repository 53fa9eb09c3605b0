"""Why the service refuses somebody.

::

    RequestError
    |-- UnauthenticatedError  it does not know who asks
    |-- ForbiddenError        it knows, and that one may not
    `-- TooManyRequestsError  that one may, later
"""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

from andon.models.types.errors import AndonError
from andon.serving.engine.errors import RequestError


class UnauthenticatedError(RequestError):
    """Nobody has said who asks, or what was said does not hold."""


class ForbiddenError(RequestError):
    """Who asks is known and may not do it."""


class TooManyRequestsError(RequestError):
    """Who asks has to wait.

    Parameters
    ----------
    wait_s
        How long; told in whole seconds, one at least.
    """

    def __init__(self, subject: str, wait_s: float) -> None:
        self.wait_s = max(1, ceil(wait_s))
        super().__init__("security.too_many", subject, wait_s=self.wait_s)


STATUSES: Mapping[type[AndonError], HTTPStatus] = {
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    TooManyRequestsError: HTTPStatus.TOO_MANY_REQUESTS,
}


def headers_of(error: AndonError) -> Mapping[str, str]:
    """Say which headers an answer to ``error`` carries (RFC 9110, 11.6.1 and 10.2.3; RFC 6750, 3)."""
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": 'Bearer realm="andon"'}
    return {"Retry-After": str(error.wait_s)} if isinstance(error, TooManyRequestsError) else {}
