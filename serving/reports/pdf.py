"""Turn a page on standard input into a PDF on standard output, in a process of its own.

WeasyPrint works for seconds, and lets Pillow take truncated images in the whole process that imports it: where parts are inspected, a
cut image must stay an error.
"""

import sys

MISSING = 3
"""The exit code where WeasyPrint or the libraries of Pango are not there."""


def main() -> int:
    """Write the PDF."""
    try:
        from weasyprint import HTML
    except (ImportError, OSError):
        return MISSING
    sys.stdout.buffer.write(HTML(string=sys.stdin.read(), url_fetcher=_fetch_nothing).write_pdf())
    return 0


def _fetch_nothing(url: str) -> dict[str, object]:
    """A report loads nothing: what is in it was written by many."""
    raise ValueError(url)


if __name__ == "__main__":
    sys.exit(main())
