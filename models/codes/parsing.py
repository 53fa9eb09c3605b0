"""One canonical form for each part, whichever way its code was typed, scanned or linked.

What is an identifier code says so: by brackets around application identifiers, by a separator or a symbology identifier
that scanners put before GS1 symbols, by a URL, by ``hdl:`` or by a prefix that nothing else begins with. All else is a
plain serial number, digits without a mark among them: ``01ABC``, ``SN/2024/0001``, ``10.5-A`` and ``A1/B2`` are. What
says that it is an identifier code and is not a whole one is refused, never kept as a serial number.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import quote

from andon.models.codes import gs1, handles
from andon.models.codes.errors import CodeError
from andon.models.codes.identity import (
    GROUP_SEPARATOR,
    MAX_SCANNED_CHARACTERS,
    CodeScheme,
    Identity,
    checked,
    decoded,
    shown,
    tidy,
)

PARTS = "/parts/"
"""What comes before a part's code in a URL of this service."""
_MARK = re.compile(r"\]([A-Za-z][0-9A-Za-z])")
_URL = re.compile(r"https?://(?:[^/?#]*@)?([^/?#:@]*)[^/?#]*([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE | re.DOTALL)
# A segment of dots or of nothing is dropped on the way; one named like ours would be taken for it.
_NOT_ALONE = frozenset({"", ".", "..", PARTS.strip("/")})


@dataclass(frozen=True, slots=True)
class PartCode:
    """The serial number or identifier code of a part.

    Parameters
    ----------
    canonical
        Shared by all spellings of one code, and by no two codes. Parsing it gives the same form again.
    serial
        The number within the code that tells parts of one kind apart: serial number, individual asset, suffix of a
        handle. None where the code names a kind or a lot, or does not tell which part of it that is.
    fields
        What the code says beside: GTIN, lot and dates by name, the prefix and suffix of a handle.
    text
        As it was given; of no weight where codes are compared.
    """

    scheme: CodeScheme
    canonical: str
    serial: str | None
    fields: tuple[tuple[str, str], ...]
    text: str = field(compare=False)


def parse_code(text: str) -> PartCode:
    """Parse what was typed, scanned or linked.

    Returns
    -------
    A GS1 code (element string or Digital Link), a handle, an identifier of the industrial internet (prefix 88, agency
    VAA), or a plain serial number: printing characters in Unicode's normal form C without blanks around them, at least
    one letter or digit. A symbology identifier (ISO/IEC 15424) before any of them is dropped.

    Raises
    ------
    CodeError
        The code is damaged or not known, too long, or has characters that do not print.

    >>> parse_code("(01)09506000134352(21)12345").canonical
    '(01)09506000134352(21)12345'
    >>> parse_code("https://example.com/01/09506000134352/21/12345").canonical
    '(01)09506000134352(21)12345'
    >>> parse_code("hdl:88.118.8/ABC123").canonical
    '88.118.8/ABC123'
    >>> parse_code(" SN/2024/0001 ").canonical
    'SN/2024/0001'
    """
    subject = shown(text)
    if len(text) > MAX_SCANNED_CHARACTERS:
        raise CodeError("code.long", subject, found=len(text), limit=MAX_SCANNED_CHARACTERS)
    identity = checked(_marked(tidy(text), subject), subject)
    return PartCode(identity.scheme, identity.canonical, identity.serial, identity.fields, text)


def part_path(code: PartCode) -> str:
    """Return the path of a part's record, below the root of the service's interface.

    The framework decodes it once; what arrives is the canonical form. Slashes stay as they are, except where clients or
    proxies would alter the path.

    >>> part_path(parse_code("88.118.8/ABC 123"))
    '/parts/88.118.8/ABC%20123'
    >>> part_path(parse_code("A/../B"))
    '/parts/A%2F..%2FB'
    """
    alterable = not _NOT_ALONE.isdisjoint(code.canonical.split("/"))
    return PARTS + quote(code.canonical, safe="" if alterable else "/")


def _marked(text: str, subject: str) -> Identity:
    """Drop symbology identifiers; that of a GS1 symbol decides what follows."""
    while mark := _MARK.match(text):
        text = tidy(text[mark.end() :])
        if mark[1] in gs1.MARKS:
            return gs1.read_separated(text, subject)
    return _identify(text, subject) or _serial(text, subject)


def _identify(text: str, subject: str) -> Identity | None:
    """Read an identifier code; None where text does not say that it is one."""
    if text.startswith(handles.ENVELOPE):
        return handles.read_envelope(text, subject)
    if GROUP_SEPARATOR in text:
        return gs1.read_separated(text, subject)
    if gs1.is_bracketed(text):
        return gs1.read_bracketed(text, subject)
    if handles.is_agency_code(text):
        return handles.read_agency_code(text, subject)
    if url := _URL.fullmatch(text):
        return _identify_url(url[1].lower(), url[2], url[3] or "", subject)
    handle = handles.find_handle(text, subject)
    return None if handle is None else handles.read_handle(handle, subject)


def _identify_url(host: str, path: str, query: str, subject: str) -> Identity | None:
    if host in handles.HOSTS:
        return handles.read_handle(decoded(path.removeprefix("/"), subject), subject)
    if own := _own(path, subject):
        return own
    if segments := gs1.find_link(host, path):
        return gs1.read_link(segments, query, subject)
    handle = handles.find_in_path(decoded(path, subject))
    return None if handle is None else handles.read_handle(handle, subject)


def _own(path: str, subject: str) -> Identity | None:
    """Read the path of a part on a service like this one.

    A plain serial number there is not taken: it is somebody else's as likely as not, and would be mixed up with one of
    the same digits.
    """
    _, ours, code = path.rpartition(PARTS)
    return _identify(decoded(code, subject), subject) if ours else None


def _serial(text: str, subject: str) -> Identity:
    if not any(each.isalnum() for each in text):
        raise CodeError("code.empty", subject)
    return Identity(CodeScheme.SERIAL, text, text)
