"""Progress goes to a terminal and nowhere else; errors of images left out are told however the work ends."""

from io import StringIO

import pytest

from andon.models.command.console import Console
from andon.models.messages.catalogue import catalogue
from andon.models.types.errors import DataError, ImageError


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def console(stderr: StringIO, as_json: bool = False) -> Console:
    return Console(catalogue("en"), as_json, StringIO(), stderr)


def run_stages(stderr: StringIO) -> str:
    with console(stderr).progress() as progress:
        for done in range(1, 4):
            progress("fit.features", done, 3)
    return stderr.getvalue()


def test_a_terminal_sees_the_stage() -> None:
    assert catalogue("en").text("fit.features") in run_stages(Terminal())


def test_a_file_sees_nothing() -> None:
    assert run_stages(StringIO()) == ""


def test_what_was_left_out_is_told_even_where_the_work_fails() -> None:
    errors = StringIO()
    with pytest.raises(DataError), console(errors).leaving_out() as left_out:
        left_out.append(ImageError("image.empty", "a.png"))
        raise DataError("fit.too_few_good", "good", found=1, given=2, expected=5)
    assert errors.getvalue() == "andon: a.png: the file is empty; expected an image\n"
