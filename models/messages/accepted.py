"""The language of whoever asks over HTTP."""

_KNOWN = {"en": "en", "zh": "zh_CN"}


def accepted_language(header: str, otherwise: str) -> str:
    """Choose between English and Chinese by an ``Accept-Language`` header (RFC 9110, 12.5.4); ``otherwise`` where it accepts neither.

    >>> accepted_language("zh-CN,zh;q=0.9,en;q=0.8", "en")
    'zh_CN'
    >>> accepted_language("en;q=0.2, zh;q=0.1, fr", "zh_CN")
    'en'
    >>> accepted_language("zh;q=0, *", "en")
    'en'
    """
    weighted = [(_weight(item), _KNOWN[tag]) for item in header.split(",") if (tag := _primary_tag(item)) in _KNOWN]
    return max([(0.0, otherwise), *weighted], key=lambda pair: pair[0])[1]


def _primary_tag(item: str) -> str:
    return item.split(";")[0].split("-")[0].strip().lower()


def _weight(item: str) -> float:
    _, _, weight = item.partition(";q=")
    try:
        return float(weight or 1)
    except ValueError:
        return 0.0
