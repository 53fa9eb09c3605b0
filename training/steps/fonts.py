"""The one rule for Chinese text in pictures: the first of these fonts that is installed."""

from collections.abc import Collection

CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Microsoft YaHei",
    "PingFang SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "Droid Sans Fallback",
    "Noto Sans CJK JP",
)


def cjk_font(installed: Collection[str]) -> str | None:
    """Return the font for Chinese text, or None where none of the known ones is among ``installed``.

    >>> cjk_font({"DejaVu Sans", "SimHei", "Noto Sans CJK SC"})
    'Noto Sans CJK SC'
    >>> cjk_font({"DejaVu Sans"}) is None
    True
    """
    return next((font for font in CJK_FONTS if font in installed), None)
