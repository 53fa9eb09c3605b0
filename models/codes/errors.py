"""What is wrong with a serial number or an identifier code."""

from andon.models.types.errors import InputError


class CodeError(InputError):
    """A code is damaged or of a kind that is not known, or an image does not show exactly one."""
