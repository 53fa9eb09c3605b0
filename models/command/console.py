"""What commands say, and to whom: documents to machines, sentences to people, progress to a terminal."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import AndonError, Param
from andon.models.types.progress import Progress, silent


@dataclass(frozen=True)
class Console:
    """Where a command's output goes.

    Parameters
    ----------
    catalogue
        Texts in the reader's language.
    as_json
        Standard output carries one JSON object a line and nothing else.
    """

    catalogue: Catalogue
    as_json: bool
    stdout: TextIO
    stderr: TextIO

    def text(self, code: str, **params: Param) -> str:
        """Return the text of a message code in the reader's language."""
        return self.catalogue.text(code, **params)

    def say(self, code: str, **params: Param) -> None:
        """Tell a person something; a machine does not hear it."""
        if not self.as_json:
            print(self.text(code, **params), file=self.stdout)

    def emit(self, document: Mapping[str, Any]) -> None:
        """Give a machine one object on a line of its own; a person does not see it."""
        if self.as_json:
            print(json.dumps(document, ensure_ascii=False, allow_nan=False), file=self.stdout, flush=True)

    def show_text(self, text: str) -> None:
        """Show a person a text that needs no translation; a machine does not see it."""
        if not self.as_json:
            print(text, file=self.stdout)

    def show(self, renderable: object) -> None:
        """Show a person a table or the like; a machine does not see it."""
        if not self.as_json:
            from rich.console import Console as Terminal

            width = None if self.stdout.isatty() else 160
            Terminal(file=self.stdout, width=width, highlight=False).print(renderable)

    def complain(self, error: AndonError) -> None:
        """Print one line about ``error`` to standard error."""
        print(f"andon: {self.catalogue.error(error)}", file=self.stderr)

    def complain_of(self, path: str, error: AndonError) -> None:
        """Report one bad file among many: its own JSON line for a machine, one line on standard error for a person."""
        self.emit({"path": path, "error": self.catalogue.error(error)})
        if not self.as_json:
            self.complain(error)

    @contextmanager
    def leaving_out(self) -> Iterator[list[AndonError]]:
        """Collect errors of what is left out of a piece of work, and report each when it ends, however it ends."""
        left_out: list[AndonError] = []
        try:
            yield left_out
        finally:
            for error in left_out:
                self.complain_of(error.subject, error)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show how far each stage is, on standard error and only where that is a terminal."""
        if not self.stderr.isatty():
            yield silent
            return
        from rich.console import Console as Terminal
        from rich.progress import Progress as Bars

        with Bars(console=Terminal(file=self.stderr), transient=True) as bars:
            tasks: dict[str, Any] = {}

            def advance(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(self.text(stage), total=total)
                bars.update(tasks[stage], completed=done, total=total)

            yield advance
