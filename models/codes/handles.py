"""Identifiers of the Handle System, and those of China's industrial internet, which are handles under the prefix 88.

A handle is a prefix, a slash and a suffix (RFC 3651, section 2). Prefixes are the same in either case, suffixes are not
unless those who give them out say so (RFC 3652, 2.1.3): DOI names, whose prefix begins with 10, are (DOI Handbook,
2.4). What is the same in either case is written in capitals.

The prefix of an identifier of the industrial internet (工业互联网标识解析) is 88 for the national nodes, then the code of an
industry or secondary node and that of an enterprise, with dots between them, as in ``88.118.8/ABC123``; the suffix is
the enterprise's own. Such identifiers also exist with the issuing agency code VAA of ISO/IEC 15459. They stand in
symbols behind the data identifier 25S (ANSI MH10.8.2: issuing agency, company and serial number as one), alone or in an
envelope of ISO/IEC 15434, format 06. Where the company's number ends in them only its agency knows, so they are kept
whole.
"""

import re
from string import ascii_lowercase, ascii_uppercase

from andon.models.codes.errors import CodeError
from andon.models.codes.identity import GROUP_SEPARATOR, CodeScheme, Identity, decoded, shown, tidy

HOSTS = frozenset({"hdl.handle.net", "doi.org", "dx.doi.org", "www.doi.org"})
"""Proxies that resolve handles: the handle is the path of their URLs."""
ENVELOPE = "[)>"
"""How a message in an envelope of ISO/IEC 15434 begins."""

_SCHEME = re.compile(r"(?:hdl|doi):(?://)?(?P<plain>.*)|info:(?:hdl|doi)/(?P<encoded>.*)", re.IGNORECASE | re.DOTALL)
_PREFIX = re.compile(r"[0-9A-Z_-]+(?:\.[0-9A-Z_-]+)*")
# Bare handles, by prefixes in wide use: DOI, then those of the registries in the United States, Germany and China. All
# else with a slash in it is more often a serial number, and a handle only where it says so.
_BARE = re.compile(r"(?:10\.[0-9]{4,}|20\.[0-9]{3,}|21\.T?[0-9]{4,}|86\.[0-9]{3,})(?:\.[0-9A-Z]+)*/", re.IGNORECASE)
_LIKE_INDUSTRIAL = re.compile(r"88(?:\.[^./]*){2,}/")
_IN_PATH = re.compile(r"(?:\A|/)(88(?:\.[0-9]+){2,}/.*)", re.DOTALL)
_INDUSTRIAL = re.compile(r"88\.([0-9]+)\.([0-9]+(?:\.[0-9]+)*)")
_AGENCY = "25SVAA"
_VAA = re.compile(r"25SVAA([!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]+)")
_MESSAGE = re.compile("\\[\\)>\x1e06\x1d(.*?)\x1e\x04?", re.DOTALL)
_CAPITALS = str.maketrans(ascii_lowercase, ascii_uppercase)


def find_handle(text: str, subject: str) -> str | None:
    """Return the handle that text looks like: one that says so (``hdl:``, ``doi:``), or a bare one of a known prefix.

    Raises
    ------
    CodeError
        Its percent-encoding is no UTF-8.
    """
    named = _SCHEME.fullmatch(text)
    if named is not None:
        plain, encoded = named["plain"], named["encoded"]
        return tidy(plain) if encoded is None else decoded(encoded, subject)
    return text if _BARE.match(text) or _LIKE_INDUSTRIAL.match(text) else None


def find_in_path(path: str) -> str | None:
    """Return the identifier of the industrial internet that ends a URL's path, which is decoded already."""
    found = _IN_PATH.search(path)
    return found and found[1]


def read_handle(text: str, subject: str) -> Identity:
    """Read a handle without its scheme.

    Raises
    ------
    CodeError
        It lacks a prefix or a suffix, or its prefix is not one: segments of letters, digits, ``_`` and ``-`` with dots
        between them, and numbers for the industrial internet, at least three of them.
    """
    prefix, _, suffix = text.partition("/")
    prefix, suffix = prefix.translate(_CAPITALS), tidy(suffix)
    if not (suffix and _PREFIX.fullmatch(prefix)):
        raise CodeError("code.handle", subject, found=shown(text))
    if prefix.startswith("88."):
        return _read_industrial(prefix, suffix, subject)
    if prefix.startswith("10."):
        # Folding first: a capital may join with an accent that a small letter stands apart from.
        suffix = tidy(suffix.translate(_CAPITALS))
    fields = (("prefix", prefix), ("suffix", suffix))
    return Identity(CodeScheme.HANDLE, f"hdl:{prefix}/{suffix}", suffix, fields)


def is_agency_code(text: str) -> bool:
    """Whether text begins like an identifier with the issuing agency code VAA."""
    return text.startswith(_AGENCY)


def read_agency_code(text: str, subject: str) -> Identity:
    """Read an identifier with the issuing agency code VAA behind the data identifier 25S.

    Raises
    ------
    CodeError
        Nothing follows, or something that is not of the invariant characters of ISO/IEC 646.
    """
    found = _VAA.fullmatch(text)
    if found is None:
        raise CodeError("code.agency", subject, found=shown(text))
    return Identity(CodeScheme.INDUSTRIAL, text, None, (("agency", "VAA"), ("code", found[1])))


def read_envelope(text: str, subject: str) -> Identity:
    """Read the identifier in a message of ISO/IEC 15434, format 06: data identifiers with separators between them.

    Raises
    ------
    CodeError
        It is of another format, or has no identifier of the agency VAA or several.
    """
    message = _MESSAGE.fullmatch(text)
    codes = [each for each in message[1].split(GROUP_SEPARATOR) if is_agency_code(each)] if message else []
    if len(codes) != 1:
        raise CodeError("code.envelope", subject, found=shown(text))
    return read_agency_code(codes[0], subject)


def _read_industrial(prefix: str, suffix: str, subject: str) -> Identity:
    codes = _INDUSTRIAL.fullmatch(prefix)
    if codes is None:
        raise CodeError("code.industrial", subject, found=shown(prefix))
    fields = (("prefix", prefix), ("industry", codes[1]), ("enterprise", codes[2]), ("suffix", suffix))
    return Identity(CodeScheme.INDUSTRIAL, f"{prefix}/{suffix}", suffix, fields)
