"""What can be wrong with a request.

::

    InputError
    `-- RequestError           what a caller sent cannot be used
        |-- UnknownModelError  no such model or version is loaded
        |-- TooLargeError      more bytes than are taken
        |-- MediaTypeError     another kind of content than is taken
        `-- ConflictError      a key was used before, for something else
"""

from andon.models.types.errors import InputError


class RequestError(InputError):
    """What a caller sent cannot be used."""


class UnknownModelError(RequestError):
    """No such model or version is loaded."""


class TooLargeError(RequestError):
    """More bytes than are taken."""


class MediaTypeError(RequestError):
    """Another kind of content than is taken."""


class ConflictError(RequestError):
    """A key was used before, for something else."""
