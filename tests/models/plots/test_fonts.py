"""The choice of fonts."""

from pathlib import Path

import pytest
from matplotlib import font_manager

from andon.models.messages.catalogue import catalogue
from andon.models.plots.fonts import CJK_FONTS, LATIN_FONT, MISSING, Lettering, cjk_font, installed_fonts, lettering

ENGLISH, CHINESE = catalogue("en"), catalogue("zh_CN")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the fonts that matplotlib knows; the system has no others."""
    names = [LATIN_FONT]
    monkeypatch.setattr(font_manager, "get_font_names", lambda: list(names))
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    return names


def test_the_first_font_of_the_list_is_taken() -> None:
    assert cjk_font(set(CJK_FONTS)) == CJK_FONTS[0]
    assert cjk_font([]) is None


def test_without_a_font_for_chinese_all_is_in_english(installed: list[str]) -> None:
    for wanted in ((CHINESE,), (ENGLISH,), (ENGLISH, CHINESE)):
        assert lettering(*wanted) == Lettering((LATIN_FONT,), (ENGLISH,))


def test_with_a_font_the_reader_gets_the_language_asked_for(installed: list[str]) -> None:
    installed.append("SimHei")
    assert lettering(CHINESE) == Lettering((LATIN_FONT, "SimHei"), (CHINESE,))
    assert lettering(ENGLISH, CHINESE).text("plot.cage") == "cage / 保持架"
    assert lettering(ENGLISH).text("plot.speed", rpm="1,500") == "1,500 rpm"


def test_a_font_installed_after_the_first_start_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What matplotlib remembers is stale; a file that is no font does not get in the way."""
    known = font_manager.findfont(LATIN_FONT)
    new, broken = str(tmp_path / "new.ttf"), tmp_path / "broken.ttf"
    Path(new).write_bytes(Path(known).read_bytes())
    broken.write_bytes(b"no font")
    manager = font_manager.FontManager.__new__(font_manager.FontManager)
    manager.ttflist = []
    added: list[str] = []
    read = font_manager.ttfFontProperty

    def add(path: str) -> None:
        read(font_manager.get_font(path))
        added.append(path)

    monkeypatch.setattr(manager, "addfont", add, raising=False)
    monkeypatch.setattr(font_manager, "fontManager", manager)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(broken), new])
    monkeypatch.setattr(font_manager, "get_font_names", lambda: ["SimHei"] if added else [LATIN_FONT])
    assert cjk_font(installed_fonts()) == "SimHei"
    assert added == [new]


def test_the_system_is_not_asked_again_once_a_font_is_known(
    installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.append("SimHei")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: pytest.fail("asked"))
    assert "SimHei" in installed_fonts()


def test_characters_without_a_glyph_are_replaced() -> None:
    latin = Lettering((LATIN_FONT,), (ENGLISH,))
    assert latin.name("pump\n3\u0000水") == f"pump{MISSING}3{MISSING}{MISSING}"
    assert latin.name("Pumpe für Öl – 3²") == "Pumpe für Öl – 3²"
