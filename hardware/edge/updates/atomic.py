"""Files and links that are replaced as a whole: whoever looks finds the one before or the new one, after a power cut too."""

from pathlib import Path

from andon.models.files.durable import flush_folder, write_flushed

BESIDE = ".new."
"""How the names begin of what has not taken its place yet."""


def replace_file(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path``, wait until the disk has it, and give it the name. Raises ``OSError``."""
    beside = _beside(path)
    write_flushed(beside, data)
    beside.replace(path)
    flush_folder(path.parent)


def replace_link(path: Path, target: str) -> None:
    """Let the link ``path`` lead to ``target`` from now on. Raises ``OSError``."""
    beside = _beside(path)
    beside.symlink_to(target)
    beside.replace(path)
    flush_folder(path.parent)


def remove_link(path: Path) -> None:
    """Take a link away, where there is one. Raises ``OSError``."""
    path.unlink(missing_ok=True)
    flush_folder(path.parent)


def _beside(path: Path) -> Path:
    """A name beside ``path`` that nothing has: what a killed process left there goes."""
    beside = path.with_name(f"{BESIDE}{path.name}")
    beside.unlink(missing_ok=True)
    return beside
