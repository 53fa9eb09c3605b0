"""Every format gives back the samples that were written, whole and in blocks, and says so when it cannot."""

import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from nptdms import ChannelObject, TdmsWriter
from scipy.io import savemat
from tests.datasets.vibration.conftest import GIVEN, RATE, WRITERS, Floats, encoded, noise, refused, wav

from andon.datasets.vibration.hints import RecordHints
from andon.datasets.vibration.records import SUFFIXES, read_blocks, read_record
from andon.models.types.vibration import Unit

pa = pytest.importorskip("pyarrow", reason="the extra records is not installed")
parquet = pytest.importorskip("pyarrow.parquet")

anything = st.floats(allow_nan=True, allow_infinity=True, width=64)
signals = arrays(np.float64, st.integers(101, 600), elements=anything, fill=st.just(0.5))


@pytest.mark.parametrize("name", WRITERS)
@given(samples=signals)
@settings(max_examples=15, deadline=None)
def test_samples_come_back_as_they_were(name: str, samples: Floats) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        WRITERS[name](path, samples)
        signal = read_record(path, GIVEN)
        np.testing.assert_array_equal(signal.samples, samples)
        assert signal.samples.dtype == np.float64
        assert (signal.rate_hz, signal.unit) == (RATE, Unit.G)


def test_there_is_a_writer_for_every_reader() -> None:
    assert {Path(name).suffix for name in WRITERS} | {".tsv"} == SUFFIXES


def test_blocks_are_the_whole(written: tuple[Path, Floats]) -> None:
    path, samples = written
    whole = read_record(path, GIVEN)
    blocks = list(read_blocks(path, GIVEN, 3.0))
    assert [len(block.samples) for block in blocks] == [3072] * 32 + [100_000 - 32 * 3072]
    np.testing.assert_array_equal(np.concatenate([block.samples for block in blocks]), samples)
    assert {(block.rate_hz, block.unit, block.rpm, block.sensor, block.asset) for block in blocks} == {
        (whole.rate_hz, whole.unit, whole.rpm, whole.sensor, whole.asset)
    }


def test_a_block_of_any_length_is_cut_from_the_same_stream(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise(600_000))
    for seconds in (1e-9, 300.0, 1e6):
        hints = RecordHints(rate_hz=1000.0 if seconds > 1 else 1.0, unit="g")
        blocks = [
            block.samples for _, block in zip(range(700), read_blocks(tmp_path / "a.npy", hints, seconds), strict=False)
        ]
        joined = np.concatenate(blocks)
        np.testing.assert_array_equal(joined, noise(600_000)[: len(joined)])
        assert len(blocks[0]) == min(600_000, max(1, round(seconds * 1000)))


def test_each_block_has_its_own_time(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise(2500))
    hints = RecordHints(rate_hz=1000, unit="g", time=datetime(2024, 3, 1, 12, tzinfo=UTC))
    times = [block.time for block in read_blocks(tmp_path / "a.npy", hints, 1.0)]
    assert times == [datetime(2024, 3, 1, 12, 0, second, tzinfo=UTC) for second in (0, 1, 2)]


MILLION = 2**20


@pytest.mark.parametrize("name", ["a.csv", "a.npy", "a.wav", "b.mat", "a.tdms", "a.parquet"])
def test_blocks_take_the_memory_of_a_few_blocks(name: str, tmp_path: Path) -> None:
    """Eight million samples are 64 MiB: what is held is bounded by the readers' chunks, not by the file."""
    path = tmp_path / name
    if name == "a.csv":
        path.write_text("x\n" + "0.125\n-1.5\n" * (4 * MILLION))
    elif name == "a.wav":
        soundfile.write(path, np.tile([0.125, -1.5], 4 * MILLION), int(RATE), subtype="DOUBLE")
    else:
        WRITERS[name](path, np.tile([0.125, -1.5], 4 * MILLION))
    pool = pa.default_memory_pool()
    next(iter(read_blocks(path, GIVEN, 64.0)))  # imports and caches
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    total, arrow = 0, 0
    for block in read_blocks(path, GIVEN, 64.0):
        total += len(block.samples)
        assert block.samples[0] == 0.125
        arrow = max(arrow, pool.bytes_allocated() - before)
        del block
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 8 * MILLION
    assert peak + arrow < 12 * MILLION


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "a.csv"])
@given(share=st.floats(0, 0.999))
@settings(max_examples=25, deadline=None)
def test_what_is_cut_off_is_refused_or_whole(name: str, share: float) -> None:
    samples = noise(2000)
    with TemporaryDirectory() as folder:
        whole = encoded(name, samples, Path(folder))
        path = Path(folder, name)
        path.write_bytes(whole[: int(share * len(whole))])
        with refused_as_a_record():
            # HDF5 pads its files, so that a little may be missing at the end.
            np.testing.assert_array_equal(read_record(path, GIVEN).samples, samples)


class refused_as_a_record:  # noqa: N801
    """Let pass nothing but a ``RecordError``."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        return kind is not None and kind.__name__ == "RecordError"


@pytest.mark.parametrize("name", ["a.wav", "a.npy", "a.npz", "a.mat", "b.mat", "a.tdms", "a.parquet"])
def test_half_a_file_is_refused(name: str, tmp_path: Path) -> None:
    whole = encoded(name, noise(2000), tmp_path)
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    expected = {"a.wav": "record.truncated", "a.tdms": "record.cut_off"}.get(name, "record.damaged")
    with refused(expected) as refusal:
        read_record(tmp_path / name, GIVEN)
    assert refusal.params["subject"] == str(tmp_path / name)


@pytest.mark.parametrize("name", WRITERS)
@given(garbage=st.binary(min_size=1, max_size=200))
@settings(max_examples=25, deadline=None)
def test_garbage_is_refused(name: str, garbage: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(b"\xff\xfe" + garbage)
        with refused_as_a_record():
            read_record(path, GIVEN)
            raise AssertionError("it was read")


@pytest.mark.parametrize("name", WRITERS)
@given(at=st.floats(0, 1), bit=st.integers(0, 7))
@settings(max_examples=25, deadline=None)
def test_a_flipped_bit_ends_in_a_signal_or_an_error_about_the_record(name: str, at: float, bit: int) -> None:
    with TemporaryDirectory() as folder:
        contents = bytearray(encoded(name, noise(300), Path(folder)))
        contents[min(int(at * len(contents)), len(contents) - 1)] ^= 1 << bit
        Path(folder, name).write_bytes(contents)
        with refused_as_a_record():
            assert len(read_record(Path(folder, name), GIVEN).samples)


@pytest.mark.parametrize("name", WRITERS)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    near=st.integers(40, 4000),
)
@settings(max_examples=60, deadline=None)
def test_changed_bytes_end_in_a_signal_or_an_error_about_the_record(
    name: str, changes: list[tuple[float, int]], near: int
) -> None:
    """The first bytes, where formats say what follows, are hit as often as all others."""
    with TemporaryDirectory() as folder:
        contents = bytearray(encoded(name, noise(300), Path(folder)))
        last = min(near, len(contents)) - 1
        for at, value in changes:
            contents[round(at * last)] = value
        Path(folder, name).write_bytes(contents)
        with refused_as_a_record():
            assert len(read_record(Path(folder, name), GIVEN).samples)


@pytest.mark.parametrize("kind", [0, 8, 10, 11, 14, 19, 23, 250])
def test_no_type_in_a_mat_file_ends_the_program(tmp_path: Path, kind: int) -> None:
    """SciPy's reader takes some types for places in memory."""
    whole = encoded("a.mat", noise(300), tmp_path)
    for at in range(128, 260):
        (tmp_path / "a.mat").write_bytes(whole[:at] + bytes([kind]) + whole[at + 1 :])
        with refused_as_a_record():
            assert len(read_record(tmp_path / "a.mat", GIVEN).samples)


@pytest.mark.parametrize("name", WRITERS)
def test_an_empty_file_and_one_that_is_missing_are_named(name: str, tmp_path: Path) -> None:
    with refused("record.missing"):
        read_record(tmp_path / name, GIVEN)
    (tmp_path / name).touch()
    with refused("record.empty"):
        read_record(tmp_path / name, GIVEN)
    with refused("record.empty"):
        list(read_blocks(tmp_path / name, GIVEN, 1.0))


def test_no_samples_are_no_record(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.empty(0))
    (tmp_path / "a.csv").write_text("x\n")
    (tmp_path / "a.wav").write_bytes(wav(np.empty(0), "PCM_16"))
    parquet.write_table(pa.table({"x": np.empty(0)}), tmp_path / "a.parquet")
    with TdmsWriter(tmp_path / "a.tdms") as writer:
        writer.write_segment([ChannelObject("g", "c", np.empty(0))])
    for suffix in ("npy", "csv", "wav", "parquet", "tdms"):
        with refused("record.empty"):
            read_record(tmp_path / f"a.{suffix}", GIVEN)
        with refused("record.empty"):
            list(read_blocks(tmp_path / f"a.{suffix}", GIVEN, 1.0))


def test_another_format_and_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with refused("record.unknown_format") as refusal:
        read_record(tmp_path / "a.xlsx", GIVEN)
    assert ".parquet" in str(refusal.params["known"])
    (tmp_path / "a.csv").mkdir()
    with refused("record.unreadable"):
        read_record(tmp_path / "a.csv", GIVEN)


@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-31), ("FLOAT", 2**-24)]
)
def test_integer_wav_is_of_full_scale_one(tmp_path: Path, subtype: str, step: float) -> None:
    samples = noise(500)
    (tmp_path / "a.wav").write_bytes(wav(samples, subtype, 8000))
    signal = read_record(tmp_path / "a.wav", RecordHints(unit="g"))
    assert signal.rate_hz == 8000
    assert np.abs(signal.samples - samples).max() <= step
    (tmp_path / "a.json").write_text('{"scale": 50, "unit": "m/s2"}')
    scaled = read_record(tmp_path / "a.wav")
    np.testing.assert_array_equal(scaled.samples, 50 * signal.samples)
    assert scaled.unit is Unit.M_S2


def test_wav_of_eight_bits_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(noise(500), "PCM_U8"))
    with refused("record.wav_samples") as refusal:
        read_record(tmp_path / "a.wav", GIVEN)
    assert refusal.params["found"] == "PCM_U8"


def test_wav_of_several_channels_asks_for_one(tmp_path: Path) -> None:
    both = np.stack([noise(500), noise(500, 1)], axis=1)
    soundfile.write(tmp_path / "a.wav", both, 8000, subtype="DOUBLE")
    with refused("record.several_columns") as refusal:
        read_record(tmp_path / "a.wav", RecordHints(unit="g"))
    assert refusal.params["found"] == "1, 2"
    signal = read_record(tmp_path / "a.wav", RecordHints(unit="g", column="2"))
    np.testing.assert_array_equal(signal.samples, both[:, 1])


def test_a_large_wav_has_its_length_in_another_chunk(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(500), 8000, subtype="PCM_16", format="RF64")
    assert len(read_record(tmp_path / "a.wav", RecordHints(unit="g")).samples) == 500
    whole = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[:-100])
    with refused("record.truncated"):
        read_record(tmp_path / "a.wav", RecordHints(unit="g"))


def test_the_longer_axis_is_time(tmp_path: Path) -> None:
    both = np.stack([noise(500), noise(500, 1)])
    for name, array in (("a.npy", both), ("b.npy", both.T), ("c.npy", np.asfortranarray(both.T))):
        np.save(tmp_path / name, array)
        with refused("record.several_columns") as refusal:
            read_record(tmp_path / name, GIVEN)
        assert refusal.params["found"] == "samples:1, samples:2"
        signal = read_record(tmp_path / name, RecordHints(rate_hz=1, unit="g", column="samples:2"))
        np.testing.assert_array_equal(signal.samples, both[1])


@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.float32, np.float16])
def test_numbers_of_any_kind_become_float64(tmp_path: Path, kind: type[np.generic]) -> None:
    values = np.arange(200).astype(kind)
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(read_record(tmp_path / "a.npy", GIVEN).samples, np.arange(200.0))


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2, 2)), np.array(["a"]), np.zeros(3, complex), np.float64(1), np.zeros(3, bool)]
)
def test_an_array_that_is_no_signal_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    with refused("record.array"):
        read_record(tmp_path / "a.npy", GIVEN)


class Burglar:
    """Makes a file where a pickle of it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_nothing_pickled_is_loaded(tmp_path: Path) -> None:
    trap = np.array([Burglar(tmp_path / "loot")], dtype=object)
    np.save(tmp_path / "a.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=trap)
    for name in ("a.npy", "a.npz"):
        with refused("record.damaged"):
            read_record(tmp_path / name, GIVEN)
    assert not (tmp_path / "loot").exists()


def test_what_would_not_fit_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("andon.datasets.vibration.arrays.MAX_WHOLE_BYTES", 2**20)
    for name in ("a.npz", "a.mat"):
        path = tmp_path / name
        if name == "a.npz":
            np.savez_compressed(path, x=np.zeros(2**18))
        else:
            savemat(path, {"x": np.zeros(2**18)}, do_compression=True)
        assert path.stat().st_size < 10_000
        with refused("record.too_large") as refusal:
            read_record(path, GIVEN)
        assert refusal.params["limit"] == 1


def test_short_vectors_are_no_signals(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=noise(101), table=noise(100), fs=500.0, shaft_rpm=[[1480]], asset="pump 3")
    signal = read_record(tmp_path / "a.npz", RecordHints(unit="g"))
    assert (len(signal.samples), signal.rate_hz, signal.rpm, signal.asset) == (101, 500.0, 1480.0, "pump 3")
    np.savez(tmp_path / "b.npz", table=noise(100))
    with refused("record.no_channel"):
        read_record(tmp_path / "b.npz", GIVEN)


@pytest.mark.parametrize(
    "name", ["fs", "Fs", "sr", "rate", "sampling_rate", "SamplingRate", "sample_rate_hz", "rate_hz"]
)
def test_the_rate_has_many_names(tmp_path: Path, name: str) -> None:
    savemat(tmp_path / "a.mat", {"x": noise(200), name: 12000})
    assert read_record(tmp_path / "a.mat", RecordHints(unit="g")).rate_hz == 12000


def test_the_struct_of_mfpt_is_read(tmp_path: Path) -> None:
    """Its ``rate`` is that of the shaft in Hz, its ``sr`` that of the samples."""
    struct = {"sr": 97656, "gs": noise(1000)[:, None], "load": 270, "rate": 25}
    savemat(tmp_path / "a.mat", {"bearing": struct})
    signal = read_record(tmp_path / "a.mat", RecordHints(unit="g", column="bearing.gs"))
    np.testing.assert_array_equal(signal.samples, noise(1000))
    assert (signal.rate_hz, signal.rpm) == (97656.0, 1500.0)
    assert read_record(tmp_path / "a.mat", RecordHints(unit="g")).rpm == 1500.0


def test_several_vectors_in_a_mat_ask_for_one(tmp_path: Path) -> None:
    variables = {"X097_DE_time": noise(200), "X097_FE_time": noise(200, 1), "X097RPM": 1796}
    savemat(tmp_path / "a.mat", variables)
    with refused("record.several_columns") as refusal:
        read_record(tmp_path / "a.mat", GIVEN)
    assert refusal.params["found"] == "X097_DE_time, X097_FE_time"
    chosen = read_record(tmp_path / "a.mat", RecordHints(rate_hz=12000, unit="g", column="X097_FE_time"))
    np.testing.assert_array_equal(chosen.samples, noise(200, 1))
    assert chosen.rpm == 1796


def test_a_file_of_version_7_3_reaches_no_other_file(tmp_path: Path) -> None:
    np.arange(200.0).tofile(tmp_path / "secret.bin")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = noise(200)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("outside", (200,), np.float64, external=[(str(tmp_path / "secret.bin"), 0, 1600)])
        file["linked"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
        layout = h5py.VirtualLayout((200,), np.float64)
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (200,))
        file.create_virtual_dataset("virtual", layout)
    with refused("record.no_channel"):
        read_record(tmp_path / "a.mat", GIVEN)


def test_tdms_says_time_asset_and_sensor(tmp_path: Path) -> None:
    WRITERS["a.tdms"](tmp_path / "a.tdms", noise(300))
    signal = read_record(tmp_path / "a.tdms")
    assert (signal.asset, signal.sensor, signal.unit) == ("pump 3", "drive end", Unit.G)
    assert signal.time == datetime(2024, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def test_tdms_channels_are_named_with_their_group(tmp_path: Path) -> None:
    with TdmsWriter(tmp_path / "a.tdms") as writer:
        for _ in range(3):
            writer.write_segment([ChannelObject("g", "x", noise(150)), ChannelObject("g", "note", ["a"])])
        writer.write_segment([ChannelObject("g", "y", noise(20))])
    with refused("record.several_columns") as refusal:
        read_record(tmp_path / "a.tdms", GIVEN)
    assert refusal.params["found"] == "g/x, g/y"
    signal = read_record(tmp_path / "a.tdms", RecordHints(rate_hz=10, unit="g", column="g/x"))
    np.testing.assert_array_equal(signal.samples, np.tile(noise(150), 3))


def test_parquet_says_what_its_metadata_say(tmp_path: Path) -> None:
    schema = pa.schema(
        [pa.field("x", pa.float32(), metadata={"unit": "mm/s"}), pa.field("note", pa.string())],
        metadata={"rate_hz": "2000", "unit": "g", "sensor": "s1", "time": "2024-03-01T12:00:00+08:00", "pandas": "{}"},
    )
    table = pa.table({"x": pa.array([0.5, None], pa.float32()), "note": ["a", "b"]}, schema=schema)
    parquet.write_table(table, tmp_path / "a.parquet")
    signal = read_record(tmp_path / "a.parquet")
    assert (signal.unit, signal.rate_hz, signal.sensor) == (Unit.MM_S, 2000.0, "s1")
    assert signal.time == datetime(2024, 3, 1, 4, tzinfo=UTC)
    np.testing.assert_array_equal(signal.samples, [0.5, np.nan])


def test_parquet_metadata_of_another_type_are_refused(tmp_path: Path) -> None:
    table = pa.table({"x": noise(10)}).replace_schema_metadata({"rate_hz": "fast"})
    parquet.write_table(table, tmp_path / "a.parquet")
    with refused("record.metadata") as refusal:
        read_record(tmp_path / "a.parquet", GIVEN)
    assert "rate_hz" in str(refusal.params["reason"])


def test_a_column_of_timestamps_is_the_clock_of_a_parquet_file(tmp_path: Path) -> None:
    start = datetime(2024, 3, 1, 12, tzinfo=UTC)
    times = [start + timedelta(microseconds=100 * at) for at in range(50)]
    table = pa.table({"when": pa.array(times, pa.timestamp("us", "Asia/Shanghai")), "x": noise(50)})
    parquet.write_table(table, tmp_path / "a.parquet")
    signal = read_record(tmp_path / "a.parquet", RecordHints(unit="g"))
    assert (signal.rate_hz, signal.time) == (10_000.0, start)
