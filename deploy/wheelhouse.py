"""Collect what an installation without a network needs: all wheels, their hashes, the installer and the units.

``python deploy/wheelhouse.py dist/wheelhouse serve``, or for a box beside the line ``python deploy/wheelhouse.py dist/wheelhouse edge,genicam``.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.utils import parse_wheel_filename

REPOSITORY = Path(__file__).parents[1]
COPIED = ("deploy/install.sh", "deploy/systemd", "LICENSE")
REQUIREMENTS, SUMS = "requirements.txt", "SHA256SUMS"


def collect(folder: Path, extras: str, repository: Path = REPOSITORY) -> None:
    """Fill ``folder``, which must be absent or empty, with the wheels of the base and of ``extras``, with commas between them, for this platform.

    Raises
    ------
    subprocess.CalledProcessError
        A wheel cannot be built or found.
    """
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    options = ["--no-build-isolation", "--only-binary", ":all:", "--constraint", str(repository / "constraints.txt")]
    subprocess.run([*pip, *options, "--wheel-dir", str(folder), f"{repository}[{extras}]"], check=True)
    for each in COPIED:
        source = repository / each
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / source.name)
    seal(folder, extras)


def seal(folder: Path, extras: str) -> None:
    """Write the hashes of what lies in ``folder``, and that Andon is installed with ``extras``."""
    lines = "".join(f"{line}\n" for line in requirement_lines(folder.glob("*.whl"), extras))
    (folder / REQUIREMENTS).write_text(lines, encoding="utf-8")
    (folder / SUMS).write_text("".join(f"{line}\n" for line in sum_lines(folder)), encoding="utf-8")


def requirement_lines(wheels: Iterable[Path], extras: str) -> Iterator[str]:
    """Pin each wheel by its version and hash, as ``pip install --require-hashes`` reads it."""
    for wheel in sorted(wheels):
        name, version, _, _ = parse_wheel_filename(wheel.name)
        wanted = f"{name}[{extras}]" if name == "andon" else name
        yield f"{wanted}=={version} --hash=sha256:{digest_of(wheel)}"


def sum_lines(folder: Path) -> Iterator[str]:
    """Say the hash of each file but the list itself, as ``sha256sum --check`` reads it."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS):
        yield f"{digest_of(path)}  {path.relative_to(folder).as_posix()}"


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(words: list[str]) -> int:
    """Make the folder that is named anew, for the extras that are."""
    place, extras = words
    folder = Path(place)
    shutil.rmtree(folder, ignore_errors=True)
    collect(folder, extras)
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
