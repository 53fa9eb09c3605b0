"""Files that a command writes for people: none replaces another of the same run."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from andon.models.types.errors import ResourceError


def write_output(path: Path, contents: bytes) -> None:
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


def distinctly_named(files: Iterable[tuple[Path, Path]]) -> Iterator[tuple[Path, Path]]:
    """Number the outputs that would have one path.

    Parameters
    ----------
    files
        Each with the path that its output is to have.

    Examples
    --------
    >>> wanted = [(Path("a/x.csv"), Path("x")), (Path("b/x.csv"), Path("x"))]
    >>> [str(name) for _, name in distinctly_named(wanted)]
    ['x', 'x-2']
    """
    taken: set[Path] = set()
    numbers: dict[Path, int] = {}
    for file, wanted in files:
        name = wanted
        while name in taken:
            numbers[wanted] = numbers.get(wanted, 1) + 1
            name = wanted.with_name(f"{wanted.name}-{numbers[wanted]}")
        taken.add(name)
        yield file, name
