"""What a code identifies, and the rules that every code's text obeys."""

import unicodedata
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import unquote

from andon.models.codes.errors import CodeError

UNREADABLE = "\ufffd"
"""What readers put in place of a character that they could not read (Unicode, section 23.8)."""
MAX_CHARACTERS = 256
"""Of a canonical form: a thousand bytes at most, which any database can index."""
MAX_SCANNED_CHARACTERS = 8192
"""Of what is parsed: more than the largest QR code holds, which are 7089 digits."""
GROUP_SEPARATOR = "\x1d"
_SHOWN_CHARACTERS = 64
# Without the separators FS, GS, RS and US, which Unicode counts as white space and codes give a meaning to. None is
# beyond U+3000.
_BLANKS = "".join(each for each in map(chr, range(0x3001)) if each.isspace() and not "\x1c" <= each <= "\x1f")


class CodeScheme(StrEnum):
    """Which rules a code follows; ``SERIAL`` is a plain serial number, which follows none."""

    SERIAL = "serial"
    GS1 = "gs1"
    HANDLE = "handle"
    INDUSTRIAL = "industrial"


class Identity(NamedTuple):
    """What a code says, whichever way it was spelled."""

    scheme: CodeScheme
    canonical: str
    serial: str | None
    fields: tuple[tuple[str, str], ...] = ()


def tidy(text: str) -> str:
    r"""Bring text into Unicode's normal form C, without blanks around it.

    >>> tidy(" Ångström\n") == tidy("Ångström")
    True
    """
    return unicodedata.normalize("NFC", text).strip(_BLANKS)


def shown(text: str) -> str:
    r"""Show text in a message: cut short, with a code in place of each character that does not print.

    >>> shown("]d2\x1d1")
    ']d2<U+001D>1'
    """
    cut = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return "".join(each if each.isprintable() else f"<U+{ord(each):04X}>" for each in cut)


def decoded(text: str, subject: str) -> str:
    """Undo percent-encoding (RFC 3986, 2.1), and bring the result into the form of ``tidy``.

    Raises
    ------
    CodeError
        What was encoded is not UTF-8.
    """
    try:
        return tidy(unquote(text, errors="strict"))
    except UnicodeDecodeError as error:
        raise CodeError("code.encoding", subject, found=shown(text)) from error


def checked(identity: Identity, subject: str) -> Identity:
    """Refuse a canonical form that is too long, or holds a character that does not print, or stands for one that could not be read."""
    if len(identity.canonical) > MAX_CHARACTERS:
        raise CodeError("code.long", subject, found=len(identity.canonical), limit=MAX_CHARACTERS)
    hidden = next((each for each in identity.canonical if not each.isprintable() or each == UNREADABLE), None)
    if hidden is not None:
        raise CodeError("code.hidden", subject, found=shown(hidden))
    return identity
