"""What can be wrong with a request.

::

    ResourceError
    |-- BusyError              more requests wait than can be answered in time
    `-- DeadlineError          an answer took longer than it may
    InputError
    `-- RequestError           what a caller sent cannot be used
        |-- UnknownModelError  no such model or version is loaded
        |-- TooLargeError      more bytes than are taken
        `-- MediaTypeError     another kind of content than is taken
"""

from andon.models.types.errors import InputError, ResourceError


class RequestError(InputError):
    """What a caller sent cannot be used."""


class UnknownModelError(RequestError):
    """No such model or version is loaded."""


class TooLargeError(RequestError):
    """More bytes than are taken."""


class MediaTypeError(RequestError):
    """Another kind of content than is taken."""


class BusyError(ResourceError):
    """More requests wait than can be answered in time."""


class DeadlineError(ResourceError):
    """An answer took longer than it may."""
