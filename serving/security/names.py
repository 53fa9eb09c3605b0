"""Names of users."""

from unicodedata import normalize

from andon.serving.engine.errors import RequestError
from andon.serving.security.roles import ANONYMOUS

MAX_NAME = 64
_SIGNS = "._-@"


def checked_name(text: str) -> str:
    """Bring a name to the one form under which it is stored: letters and digits of any script, small, with ``. _ - @`` between.

    Raises
    ------
    RequestError
        It is empty, too long, reserved, or holds anything else.

    >>> checked_name(" Anna.Ｍ ")
    'anna.m'
    """
    name = normalize("NFKC", normalize("NFKC", text).strip().lower())
    if not 0 < len(name) <= MAX_NAME or name == ANONYMOUS or not all(each.isalnum() or each in _SIGNS for each in name):
        raise RequestError("security.name", "name", limit=MAX_NAME)
    return name
