"""The one rule for Chinese text in pictures: the first of these fonts that is installed."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from andon.models.messages.catalogue import Catalogue, catalogue
from andon.models.types.errors import Param

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
LATIN_FONT = "DejaVu Sans"
"""Comes with matplotlib."""
MISSING = "?"
"""Stands for a character that no font has, as in a file's name."""


@dataclass(frozen=True, slots=True)
class Lettering:
    """The fonts and languages that a picture's texts use."""

    fonts: tuple[str, ...]
    catalogues: tuple[Catalogue, ...]

    def text(self, code: str, **params: Param) -> str:
        """Return a text in each of the languages."""
        return " / ".join(each.text(code, **params) for each in self.catalogues)

    def name(self, text: str) -> str:
        """Return a name as the fonts can show it.

        >>> Lettering((LATIN_FONT,), (catalogue("en"),)).name("pump 水泵.wav")
        'pump ??.wav'
        """
        return "".join(letter if ord(letter) in _letters(self.fonts) else MISSING for letter in text)


def cjk_font(installed: Collection[str]) -> str | None:
    """Return the font for Chinese text, or None where none of the known ones is among ``installed``.

    >>> cjk_font({"DejaVu Sans", "SimHei", "Noto Sans CJK SC"})
    'Noto Sans CJK SC'
    >>> cjk_font({"DejaVu Sans"}) is None
    True
    """
    return next((font for font in CJK_FONTS if font in installed), None)


def lettering(*wanted: Catalogue) -> Lettering:
    """Choose by what is installed here: the languages wanted, but English alone where there is no font for Chinese."""
    font = cjk_font(installed_fonts())
    if font is None:
        return Lettering((LATIN_FONT,), (catalogue("en"),))
    return Lettering((LATIN_FONT, font), wanted)


def installed_fonts() -> Collection[str]:
    """List the fonts by name.

    matplotlib remembers them from its first start. Only where none for Chinese was there then is the system asked again, so that one
    installed since is found.
    """
    known = font_manager.get_font_names()
    if cjk_font(known) is None:
        _learn(set(font_manager.findSystemFonts()) - {entry.fname for entry in font_manager.fontManager.ttflist})
        known = font_manager.get_font_names()
    return known


def _learn(paths: Iterable[str]) -> None:
    for path in sorted(paths):
        # A file that is no font, or one of a kind that cannot be drawn with.
        with suppress(OSError, RuntimeError):
            font_manager.fontManager.addfont(path)


@lru_cache(maxsize=4)
def _letters(fonts: tuple[str, ...]) -> frozenset[int]:
    """The characters that at least one of the fonts has."""
    found = (font_manager.get_font(font_manager.findfont(name)) for name in fonts)
    return frozenset().union(*(_characters(font) for font in found))


def _characters(font: FT2Font) -> Iterable[int]:
    return font.get_charmap()
