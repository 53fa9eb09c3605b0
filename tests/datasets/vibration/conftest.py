"""Write a signal in every format, telling its rate and unit where the format can."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread

import h5py
import numpy as np
import pytest
import soundfile
from nptdms import ChannelObject, TdmsWriter
from numpy.typing import NDArray
from scipy.io import savemat

from andon.datasets.vibration.hints import RecordHints
from andon.models.types.errors import AndonError

RATE = 1024.0
GIVEN = RecordHints(rate_hz=RATE, unit="g")
Floats = NDArray[np.float64]


def noise(n: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(0, 0.2, n).clip(-0.99, 0.99)


def write_csv(path: Path, samples: Floats) -> None:
    path.write_text("acceleration\n" + "\n".join(map(repr, samples.tolist())) + "\n")


def write_npy(path: Path, samples: Floats) -> None:
    np.save(path, samples)


def write_npz(path: Path, samples: Floats) -> None:
    np.savez_compressed(path, x=samples, fs=RATE, unit="g")


def write_wav(path: Path, samples: Floats) -> None:
    soundfile.write(path, samples, int(RATE), subtype="DOUBLE")


def write_mat(path: Path, samples: Floats) -> None:
    savemat(path, {"x": samples, "fs": RATE, "rpm": 1500, "unit": "g"})


def write_mat_hdf5(path: Path, samples: Floats) -> None:
    """As MATLAB does: a user block of 512 bytes, columns as rows, texts as codes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file["bearing/gs"] = samples[None, :]
        file["bearing/fs"] = [[RATE]]
        file["bearing/unit"] = np.array([[ord("g")]], np.uint16)
        file["bearing/unit"].attrs["MATLAB_class"] = np.bytes_("char")


def write_tdms(path: Path, samples: Floats) -> None:
    start = datetime(2024, 3, 1, 12, 0, 0, 250_000)  # in UTC, as all times of the format
    properties = {"wf_increment": 1 / RATE, "wf_start_time": start, "unit_string": "g"}
    with TdmsWriter(path) as writer:
        for part in range(0, len(samples), 2**17):
            writer.write_segment([ChannelObject("pump 3", "drive end", samples[part : part + 2**17], properties)])


def write_parquet(path: Path, samples: Floats) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra records is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pa.table({"x": samples}).replace_schema_metadata({"rate_hz": str(RATE), "unit": "g", "rpm": "1500"})
    parquet.write_table(table, path, row_group_size=20_000)


Write = Callable[[Path, Floats], None]

WRITERS: Mapping[str, Write] = {
    "a.csv": write_csv,
    "a.npy": write_npy,
    "a.npz": write_npz,
    "a.wav": write_wav,
    "a.mat": write_mat,
    "b.mat": write_mat_hdf5,
    "a.tdms": write_tdms,
    "a.parquet": write_parquet,
}
"""By the name of the file; the second ``.mat`` is of version 7.3."""


def encoded(name: str, samples: Floats, folder: Path) -> bytes:
    path = folder / name
    WRITERS[name](path, samples)
    return path.read_bytes()


def wav(samples: Floats, subtype: str, rate: int = int(RATE)) -> bytes:
    buffer = BytesIO()
    soundfile.write(buffer, samples, rate, subtype=subtype, format="WAV")
    return buffer.getvalue()


@dataclass(slots=True)
class Refusal:
    """What was raised inside of ``refused``."""

    error: AndonError | None = None

    @property
    def code(self) -> str:
        assert self.error is not None
        return self.error.code

    @property
    def params(self) -> dict[str, str | int | float]:
        assert self.error is not None
        return self.error.params


class refused:  # noqa: N801  reads as a phrase: with refused("record.empty") as refusal
    """Demand an error with the given code."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._refusal = Refusal()

    def __enter__(self) -> Refusal:
        return self._refusal

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        assert error is not None, f"nothing was raised; expected {self._code}"
        if not isinstance(error, AndonError):
            return False
        assert error.code == self._code, str(error)
        self._refusal.error = error
        return True


def lack(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Have a package not installed, for what is imported from now on."""
    for module in [name for name in sys.modules if name.startswith(USERS)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)


USERS = (
    "andon.models.plots",
    *(f"andon.datasets.vibration.{name}" for name in ("csv_files", "pictures", "timestamps")),
)
"""What imports matplotlib or pyarrow."""


@pytest.fixture(params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Floats]]:
    """A file of each format, and the 100,000 samples in it."""
    samples = noise(100_000)
    path = tmp_path / request.param
    WRITERS[request.param](path, samples)
    yield path, samples


@dataclass(slots=True)
class PackageIndex:
    """A package index on the loopback.

    ``files`` holds type and contents by path; ``asked`` the paths that were asked for.
    """

    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Its address."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}/simple/"

    def add(self, project: str, filename: str, contents: bytes) -> None:
        """Have it offer a file, in place of one of that name."""
        self.files[f"/files/{filename}"] = ("application/octet-stream", contents)
        page = f"/simple/{project}/"
        links = self.files.get(page, ("", b""))[1]
        link = f'<a href="/files/{filename}">{filename}</a>\n'.encode()
        self.files[page] = ("text/html", links.replace(link, b"") + link)

    def start(self) -> None:
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(self.path)
                kind, contents = index.files.get(self.path, ("text/plain", b""))
                self.send_response(200 if self.path in index.files else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(contents)))
                self.end_headers()
                self.wfile.write(contents)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


@pytest.fixture
def package_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """An index that has nothing yet. Proxies are for other addresses."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    index = PackageIndex()
    index.start()
    yield index
    index.close()
