"""The language a caller reads."""

from starlette.requests import Request

ENGLISH, CHINESE = "en", "zh_CN"
_KNOWN = {"en": ENGLISH, "zh": CHINESE}


def accepted_language(header: str) -> str:
    """Choose between English and Chinese by an ``Accept-Language`` header (RFC 9110, 12.5.4); English by default.

    >>> accepted_language("zh-CN,zh;q=0.9,en;q=0.8")
    'zh_CN'
    >>> accepted_language("en;q=0.2, zh;q=0.1, fr")
    'en'
    """
    weighted = [(_weight(item), _KNOWN[tag]) for item in header.split(",") if (tag := _primary_tag(item)) in _KNOWN]
    return max(weighted, key=lambda pair: pair[0], default=(0.0, ENGLISH))[1]


def language_of(request: Request) -> str:
    """Choose the language of a request."""
    return accepted_language(request.headers.get("accept-language", ""))


def _primary_tag(item: str) -> str:
    return item.split(";")[0].split("-")[0].strip().lower()


def _weight(item: str) -> float:
    _, _, weight = item.partition(";q=")
    try:
        return float(weight or 1)
    except ValueError:
        return 0.0
