"""The pictures of a diagnosis, in files."""

from pathlib import Path

from andon.models.messages.catalogue import Catalogue
from andon.models.types.errors import ResourceError
from andon.models.types.vibration import Diagnosis, Machine, Signal


def draw(signal: Signal, machine: Machine, found: Diagnosis, stem: Path, text: Catalogue) -> list[Path]:
    """Write the pictures of spectrum and envelope beside each other: ``<stem>-spectrum.png`` and ``<stem>-envelope.png``.

    Raises
    ------
    ResourceError
        The disk is full or cannot be written.
    """
    # matplotlib takes a second to import.
    from andon.models.plots.envelope import envelope_plot
    from andon.models.plots.spectrum import spectrum_plot

    pictures = {"spectrum": spectrum_plot, "envelope": envelope_plot}
    paths = []
    for kind, picture in pictures.items():
        path = stem.with_name(f"{stem.name}-{kind}.png")
        write_picture(path, picture(signal, machine, found, text, stem.name))
        paths.append(path)
    return paths


def write_picture(path: Path, contents: bytes) -> None:
    """Write a file, with its folder where there is none.

    Raises
    ------
    ResourceError
        The disk is full or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
    except OSError as error:
        raise ResourceError("inspect.not_written", str(path), reason=error.strerror or str(error)) from error
