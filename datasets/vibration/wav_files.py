"""Records in ``.wav`` files."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from andon.datasets.vibration.containers import CHUNK_SAMPLES, Channel, Channels
from andon.datasets.vibration.hints import RecordHints
from andon.models.types.errors import RecordError
from andon.models.types.vibration import Samples

DAMAGE = (soundfile.SoundFileError,)
"""What libsndfile's wrapper raises of a damaged file."""

SUBTYPES = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")


@contextmanager
def open_wav(path: Path) -> Iterator[Channels]:
    """Open a WAV file; integer samples are given from -1 to 1, a file of several channels calls them ``1``, ``2`` ...

    Raises
    ------
    RecordError
        If its samples are neither integers of 16, 24 or 32 bits nor floating-point, or it ends before its header says.
    """
    with path.open("rb") as file:
        _check_complete(file, path)
    with soundfile.SoundFile(path) as file:
        if file.subtype not in SUBTYPES:
            raise RecordError("record.wav_samples", str(path), found=file.subtype)
        said = RecordHints(rate_hz=float(file.samplerate))
        yield {str(at + 1): Channel(partial(_chunks, file, at), said) for at in range(file.channels)}


def _chunks(file: soundfile.SoundFile, at: int) -> Iterator[Samples]:
    file.seek(0)
    while len(frames := file.read(CHUNK_SAMPLES, dtype="float64", always_2d=True)):
        yield np.ascontiguousarray(frames[:, at])


def _check_complete(file: BinaryIO, path: Path) -> None:
    """Compare the length in the header with that of the file: the library reads what is there and says nothing."""
    size = path.stat().st_size
    file.seek(12)
    long_size = 0
    while len(header := file.read(8)) == 8:
        name, length = header[:4], int.from_bytes(header[4:], "little")
        if name == b"ds64":
            long_size = int.from_bytes(file.read(24)[8:16], "little")
            file.seek(-24, 1)
        if name == b"data":
            expected = long_size or length
            if (found := size - file.tell()) < expected:
                raise RecordError("record.truncated", str(path), found=found, expected=expected)
            return
        file.seek(length + length % 2, 1)
