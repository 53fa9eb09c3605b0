"""Records that come into a folder while it is watched."""

import errno
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.datasets.vibration.conftest import lack
from tests.hardware.acquisition.devices import Reported, drawn
from tests.motors import write_record
from tests.serving.notify.receivers import eventually

from andon.hardware.acquisition.journal import Journal, Sign
from andon.hardware.acquisition.watched_folder import WatchedFolder, WatchedFolderSettings
from andon.models.types.errors import OptionError, ResourceError
from andon.models.types.vibration import Signal, Unit

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
RATE_HZ = 100.0


def ramp(samples: int = 100) -> Signal:
    return Signal(np.arange(samples, dtype=np.float64), RATE_HZ, Unit.G, "DE", "pump")


def put(folder: Path, name: str, at_s: float | None = 0.0, samples: int = 100) -> Path:
    """Put a record that began so long after noon, or says no time."""
    said = {} if at_s is None else {"time": str(NOON + timedelta(seconds=at_s))}
    return write_record(folder, name, ramp(samples), asset="pump", **said)


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    (tmp_path / "drop 记录").mkdir()
    return tmp_path / "drop 记录"


def watched(drop: Path, reported: Reported, stop: Event, still_s: float = 0.1) -> WatchedFolder:
    settings = WatchedFolderSettings(
        folder=drop, journal=drop.parent / "state" / "taken", every_s=0.03, still_s=still_s, asset="line"
    )
    return WatchedFolder(settings, reported, stop)


def begun(blocks: list[Signal]) -> list[float]:
    return [(block.time - NOON).total_seconds() for block in blocks if block.time]


def some(drop: Path, count: int, reported: Reported, still_s: float = 0.1) -> list[float]:
    """Watch until so many blocks came, and a little longer: when they began, in seconds after noon."""
    stop = Event()
    with watched(drop, reported, stop, still_s) as source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: len(blocks) >= count)
        Event().wait(0.3)
    return begun(blocks)


def test_records_come_in_the_order_of_their_own_time(drop: Path, reported: Reported) -> None:
    for name, at_s in (("a", 30.0), ("b", 10.0), ("sub/c", 20.0)):
        put(drop / Path(name).parent, Path(name).name, at_s)
    assert some(drop, 3, reported) == [10, 20, 30]
    assert reported.codes == []


def test_each_record_is_taken_once_over_restarts(drop: Path, reported: Reported) -> None:
    put(drop, "1", 1)
    put(drop, "2", 2)
    assert some(drop, 2, reported) == [1, 2]
    put(drop, "3", 3)
    assert some(drop, 1, reported) == [3]
    put(drop, "1", 4)
    assert some(drop, 1, reported) == [4], "a file that is overwritten is another record"
    assert some(drop, 0, reported) == []


def test_a_record_that_was_cut_short_by_a_stop_comes_again(drop: Path, reported: Reported, stop: Event) -> None:
    put(drop, "long", 0, 3000)
    with watched(drop, reported, stop) as source:
        blocks = source.blocks()
        assert len(next(blocks).samples) == 1000
        next(blocks)
        stop.set()
        assert list(blocks) == []
    assert some(drop, 3, reported) == [0, 10, 20]


def test_a_file_that_is_being_written_is_not_taken(drop: Path, reported: Reported, stop: Event) -> None:
    whole = put(drop.parent / "elsewhere", "1").read_bytes()
    shutil.copy(drop.parent / "elsewhere" / "1.json", drop)
    with watched(drop, reported, stop, still_s=0.4) as source, drawn(source.blocks(), stop) as blocks:
        with (drop / "1.npy").open("wb") as file:
            for first in range(0, len(whole), 100):
                file.write(whole[first : first + 100])
                file.flush()
                Event().wait(0.06)
                assert blocks == []
        eventually(lambda: len(blocks) == 1)
    assert len(blocks[0].samples) == 100
    assert reported.codes == []


def test_a_file_that_is_renamed_into_place_is_taken_at_once(drop: Path, reported: Reported, stop: Event) -> None:
    path = put(drop, "1")
    path.rename(path.with_suffix(".npy.part"))
    with watched(drop, reported, stop, still_s=0) as source, drawn(source.blocks(), stop) as blocks:
        Event().wait(0.2)
        assert blocks == []
        path.with_suffix(".npy.part").rename(path)
        eventually(lambda: len(blocks) == 1, 2)


def test_what_cannot_be_read_is_reported_once_and_left(drop: Path, reported: Reported) -> None:
    broken = drop / "broken.npy"
    broken.write_bytes(b"\x93NUMPY broken")
    put(drop, "1")
    assert some(drop, 1, reported) == [0]
    assert some(drop, 0, reported) == []
    assert [error.subject for error in reported.errors] == [str(broken)]
    assert broken.exists()


@pytest.mark.parametrize(
    "said",
    [
        {"rate_hz": 1e-300},
        {"rate_hz": 1.7e308},
        {"rate_hz": 1e-300, "time": "2026-05-01T12:00:00Z"},
        {"rate_hz": 1.0, "time": "9999-12-31T23:59:59Z"},
        {"time": "0001-01-01T00:00:00+05:00"},
    ],
)
def test_what_cannot_be_reckoned_with_is_reported_and_the_next_record_taken(
    drop: Path, reported: Reported, said: dict[str, Any]
) -> None:
    write_record(drop, "absurd", ramp(), asset="pump", **said)
    put(drop, "good", 30.0)
    assert 30 in some(drop, 1, reported)
    assert reported.codes == ["record.beyond"]


def test_what_could_not_be_read_is_tried_again_once_its_sidecar_comes(
    drop: Path, reported: Reported, stop: Event
) -> None:
    path = put(drop, "1", 7)
    (sidecar,) = drop.glob("*.json")
    sidecar.rename(drop.parent / "sidecar")
    with watched(drop, reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: reported.codes == ["record.no_unit"])
        (drop.parent / "sidecar").rename(sidecar)
        eventually(lambda: begun(blocks) == [7])
        sidecar.write_bytes(sidecar.read_bytes() + b" ")
        Event().wait(0.4)
    assert begun(blocks) == [7], f"{path} was taken"


def test_a_record_without_a_time_ended_when_it_was_written(drop: Path, reported: Reported) -> None:
    path = put(drop, "1", None, 2500)
    written = (NOON + timedelta(hours=1)).timestamp()
    os.utime(path, (written, written))
    assert some(drop, 3, reported) == [3575, 3585, 3595]


def write_wav(path: Path) -> None:
    soundfile.write(path, np.linspace(-0.5, 0.5, 800), 800, subtype="FLOAT")
    path.with_suffix(".json").write_text('{"unit": "g", "rate_hz": 800}')


def write_csv(path: Path) -> None:
    path.write_text("a\n" + "\n".join("0.5" for _ in range(800)) + "\n")
    path.with_suffix(".json").write_text('{"unit": "g", "rate_hz": 800}')


@pytest.mark.parametrize(
    ("name", "write", "package"), [("1.wav", write_wav, "soundfile"), ("1.csv", write_csv, "pyarrow")]
)
def test_other_formats_come_alike(
    drop: Path, reported: Reported, stop: Event, name: str, write: Callable[[Path], None], package: str
) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed")
    write(drop / name)
    with watched(drop, reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: blocks)
    assert (blocks[0].asset, len(blocks[0].samples), blocks[0].rate_hz) == ("line", 800, 800)


def test_a_record_whose_reader_is_not_installed_is_told_once_and_taken_when_it_is(
    drop: Path, reported: Reported, stop: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow", reason="the extra records is not installed")
    write_csv(drop / "1.csv")
    with watched(drop, reported, stop) as source, monkeypatch.context() as environment:
        lack(environment, "pyarrow")
        with drawn(source.blocks(), stop) as blocks:
            eventually(lambda: reported.codes)
            write_wav(drop / "2.wav")
            eventually(lambda: len(blocks) == 1)
            assert reported.codes == ["command.missing_extra"]
            environment.undo()
            eventually(lambda: len(blocks) == 2)
    assert [each.samples.max() for each in blocks] == [0.5, 0.5]
    assert reported.codes == ["command.missing_extra"]


def test_a_folder_that_is_away_is_reported_once_and_waited_for(tmp_path: Path, reported: Reported, stop: Event) -> None:
    with watched(tmp_path / "share", reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: reported.codes)
        put(tmp_path / "share", "1", 5)
        eventually(lambda: begun(blocks) == [5])
    assert reported.codes == ["record.folder_missing"]


def test_a_share_that_is_away_for_a_while_shows_an_empty_folder(drop: Path, reported: Reported, stop: Event) -> None:
    put(drop, "1", 5)
    with watched(drop, reported, stop) as source, drawn(source.blocks(), stop) as blocks:
        eventually(lambda: begun(blocks) == [5])
        drop.rename(drop.parent / "unmounted")
        drop.mkdir()
        Event().wait(0.2)
        drop.rmdir()
        (drop.parent / "unmounted").rename(drop)
        put(drop, "2", 6)
        eventually(lambda: len(blocks) > 1)
    assert begun(blocks) == [5, 6]


def test_a_name_that_is_no_utf8_is_remembered_as_well(drop: Path, reported: Reported) -> None:
    put(drop, "1", 5)
    for path in list(drop.iterdir()):
        path.rename(os.fsdecode(os.fsencode(drop) + b"/" + "\u6cf5".encode("gbk") + os.fsencode(path.suffix)))
    assert some(drop, 1, reported) == [5]
    assert some(drop, 0, reported) == []


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "not_positive": {"every_s": 0.0},
        "negative": {"still_s": -1.0},
        "journal_inside": {"journal": tmp_path / "taken"},
    }
    for code, values in wrong.items():
        said = {"folder": tmp_path, "journal": tmp_path.parent / "taken", **values}
        with pytest.raises(OptionError, match=code):
            WatchedFolderSettings(**said)


SIGN = Sign(1, 2)


def test_a_journal_outlives_a_line_that_was_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "taken")
    journal.open()
    journal.note("a", SIGN, None, is_taken=True)
    journal.note("b", SIGN, None, is_taken=True)
    journal.close()
    text = (tmp_path / "taken").read_bytes()
    (tmp_path / "taken").write_bytes(text[:-5])
    again = Journal(tmp_path / "taken")
    again.open()
    assert again.knows("a", SIGN, None)
    assert not again.knows("b", SIGN, None)
    again.note("c", SIGN, None, is_taken=False)
    again.close()
    third = Journal(tmp_path / "taken")
    third.open()
    assert third.knows("c", SIGN, None)
    assert not third.knows("c", SIGN, SIGN), "a refused file is tried again with another sidecar"
    assert third.knows("a", SIGN, SIGN), "a taken one is not"
    assert not third.knows("a", Sign(1, 3), None)
    third.close()


def test_a_journal_forgets_files_that_have_gone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "taken")
    journal.open()
    for name in "ab":
        journal.note(name, SIGN, None, is_taken=True)
    journal.keep_only({"b"})
    assert not journal.knows("a", SIGN, None)
    journal.close()


def test_a_journal_does_not_grow_with_files_that_come_and_go(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "taken")
    journal.open()
    largest = 0
    for number in range(1, 1301):
        journal.note(f"{number}", SIGN, None, is_taken=True)
        journal.keep_only({f"{number}"})
        largest = max(largest, len((tmp_path / "taken").read_bytes().splitlines()))
    journal.close()
    assert largest < 1010, "it is written anew after a thousand"
    again = Journal(tmp_path / "taken")
    again.open()
    assert again.knows("1300", SIGN, None)
    again.close()


def test_a_line_that_a_full_disk_cut_off_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, path = Journal(tmp_path / "taken"), tmp_path / "taken"
    journal.open()
    journal.note("a", SIGN, None, is_taken=True)

    def fill(_descriptor: int) -> None:
        os.truncate(path, path.stat().st_size - 5)
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch, pytest.raises(ResourceError, match=r"acquisition\.journal"):
        patch.setattr(os, "fsync", fill)
        journal.note("b", SIGN, None, is_taken=True)
    journal.note("c", SIGN, None, is_taken=True)
    journal.close()
    again = Journal(path)
    again.open()
    assert all(again.knows(name, SIGN, None) for name in "abc")
    again.close()


def test_a_journal_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ResourceError, match=r"acquisition\.journal"):
        Journal(tmp_path / "taken").open()
