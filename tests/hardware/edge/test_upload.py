"""What a box kept reaches the service, whatever fails meanwhile: nothing is lost, nothing comes twice, and it is said why it waits."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.datasets.store.boxes import BOX, assert_holds, counts, keep, keep_all_kinds, opened_store, rows
from tests.datasets.store.machines import raised, sense, tell
from tests.hardware.edge.doors import Door, Instead, opened_door
from tests.serving.notify.receivers import free_port

from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.replication import BatchLimits, FileChoice, ImageChoice, WaveformChoice
from andon.datasets.store.schema import alerts, inspections, ledger, signals
from andon.hardware.edge.remote import KEY_VARIABLE, Service, ServiceAddress, load_key
from andon.hardware.edge.upload import Pace, Progress, UploadEndedError, Uploader
from andon.models.messages.catalogue import catalogue
from andon.models.types.errors import OptionError

KEY = "andon_0123456789_secret"
QUICK = Pace(first_s=0.02, longest_s=0.1, gather_s=0.0, idle_s=5.0)
PATIENCE_S = 20.0


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Store]:
    with opened_store(tmp_path / "box", BOX) as opened:
        yield opened


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Store]:
    """The service's store."""
    with opened_store(tmp_path / "there", "service") as opened:
        yield opened


@pytest.fixture
def door(there: Store) -> Iterator[Door]:
    with opened_door(there) as opened:
        yield opened


@pytest.fixture
def uploading(box: Store) -> Iterator[Callable[..., Uploader]]:
    """Upload to an address until the test ends."""
    with ExitStack() as stack:

        def start(url: str, pace: Pace = QUICK, timeout_s: float = 10.0, **more: Any) -> Uploader:
            service = Service(ServiceAddress(url, KEY, timeout_s=timeout_s))
            return stack.enter_context(Uploader(box, service, pace=pace, **more))

        yield start


def awaited(uploader: Uploader, is_there: Callable[[Progress], bool]) -> Progress:
    """Wait until the uploader's figures are as expected."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_there(progress := uploader.progress()):
        assert time.monotonic() < deadline, progress
        time.sleep(0.005)
    return progress


def is_done(progress: Progress) -> bool:
    return progress.waiting == 0 and progress.confirmed is not None and progress.error is None


def has_failed(progress: Progress) -> bool:
    return progress.error is not None


def test_everything_is_sent_and_then_what_comes(
    box: Store, there: Store, door: Door, uploading: Callable[..., Uploader]
) -> None:
    keep_all_kinds(box)
    uploader = uploading(door.url)
    progress = awaited(uploader, is_done)
    assert (progress.confirmed, progress.error) == (7, None)
    assert progress.last_success is not None
    keep(box, range(10, 15))
    uploader.wake()
    awaited(uploader, lambda progress: progress.confirmed == 12)
    assert_holds(there, BOX, 12)
    assert rows(there, inspections, "image_kept") == rows(box, inspections, "image_kept")


def test_waveforms_go_before_what_names_them(
    box: Store, there: Store, door: Door, uploading: Callable[..., Uploader]
) -> None:
    """One that is gone at the box does not hold up its record."""
    sense(box, [1])
    sense(box, [2], severity="warning")
    (lost,) = sense(box, [3], severity="danger")
    tell(box, raised(4))
    box.blobs.remove(lost.waveform)
    uploader = uploading(door.url, choice=FileChoice(ImageChoice.NONE, WaveformChoice.ABNORMAL))
    awaited(uploader, is_done)
    assert [each["waveform_kept"] for each in rows(there, signals)] == [False, True, False]
    assert len(rows(there, alerts)) == 1
    assert_holds(there, BOX, 4)


def test_pictures_go_once_and_only_those_that_are_chosen(
    box: Store, there: Store, door: Door, uploading: Callable[..., Uploader]
) -> None:
    for number, verdict in enumerate(("OK", "NG", "RETAKE", "OK")):
        keep(box, [number], verdict=verdict)
    awaited(uploading(door.url, choice=FileChoice(ImageChoice.FAILED)), is_done)
    assert len(door.asked("PUT")) == 2
    assert [each["image_kept"] for each in rows(there, inspections)] == [False, True, True, False]


def test_a_service_that_is_away_is_waited_for(
    box: Store, there: Store, uploading: Callable[..., Uploader], caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    keep(box, range(3))
    uploader = uploading(f"http://127.0.0.1:{port}")
    progress = awaited(uploader, has_failed)
    assert progress.error
    assert (progress.error.code, progress.waiting, progress.last_success) == ("upload.away", 3, None)
    keep(box, range(3, 6))
    for _ in range(2):  # it comes, goes, and comes again
        with opened_door(there, port):
            awaited(uploader, is_done)
        keep(box, [uploader.progress().confirmed or 0])
        uploader.wake()
        awaited(uploader, has_failed)
    with opened_door(there, port):
        awaited(uploader, is_done)
    assert_holds(there, BOX, 8)
    assert {record.levelno for record in caplog.records if record.name.endswith("upload")} == {logging.WARNING}


FAILURES = (
    Instead(500),
    Instead(503),
    Instead(507),
    Instead(429),
    Instead(),
    Instead(after=True),
    Instead(500, after=True),
    Instead(302, {"Location": "http://127.0.0.1:9/"}),
    Instead(302, {"Location": "mailto:anna"}),
    Instead(401, body=b'{"code": "security.unauthenticated", "detail": "no such key"}'),
    Instead(200, body=b"<html>"),
    Instead(200, body=b'{"origin": "line-1", "seq": -1, "hash": ""}'),
    Instead(200, body=b"\xff\xfe"),
    Instead(200, body=b'{"x":' + b"[" * 9999),
    Instead(404, body=b'{"x":' + b"[" * 9999),
)


@pytest.mark.parametrize("start", ["GET", "POST /api/v1/edge/images", "PUT", "POST /api/v1/edge/line-1"])
def test_whatever_fails_once_is_done_again(
    box: Store, there: Store, door: Door, uploading: Callable[..., Uploader], start: str
) -> None:
    limits, total = BatchLimits(entries=2), 0
    for failure in FAILURES:
        door.instead.append((start, failure))
        keep(box, range(total, total + 3))
        total += 3
        awaited(uploader := uploading(door.url, limits=limits), is_done)
        uploader.close()
        assert not door.instead
    assert_holds(there, BOX, total)
    assert all(each["image_kept"] for each in rows(there, inspections))


def test_pictures_that_have_arrived_are_not_sent_again(
    box: Store, door: Door, uploading: Callable[..., Uploader]
) -> None:
    keep(box, range(8))
    door.instead += [("POST /api/v1/edge/line-1", Instead(503)), ("POST /api/v1/edge/line-1", Instead())]
    awaited(uploading(door.url), is_done)
    assert len(door.asked("PUT")) == len(set(door.asked("PUT"))) == 8


def test_a_picture_that_is_gone_or_damaged_does_not_hold_up_the_record(
    box: Store, there: Store, door: Door, uploading: Callable[..., Uploader]
) -> None:
    keep(box, range(3))
    gone, damaged, _ = (each["image"] for each in rows(box, inspections))
    box.blobs.remove(gone)
    Path(box.blobs.root, damaged[:2], damaged[2:4], damaged).write_bytes(b"other")
    awaited(uploading(door.url), is_done)
    assert [each["image_kept"] for each in rows(there, inspections)] == [False, False, True]


def test_a_refusal_is_told_and_nothing_is_skipped(
    box: Store, there: Store, door: Door, uploading: Callable[..., Uploader]
) -> None:
    keep(box, range(3))
    refusal = Instead(403, body=b'{"code": "upload.other_key", "detail": "line-1: found key:x"}')
    door.instead += [("POST /api/v1/edge/line-1", refusal)] * 3
    uploader = uploading(door.url)
    error = awaited(uploader, has_failed).error
    assert error
    assert (error.code, error.params["status"], error.params["found"]) == ("upload.refused", 403, "upload.other_key")
    assert "line-1: found key:x" in catalogue("en").error(error)
    awaited(uploader, is_done)
    assert_holds(there, BOX, 3)


def test_two_boxes_of_one_name_are_found(
    box: Store, there: Store, door: Door, uploading: Callable[..., Uploader], tmp_path: Path
) -> None:
    twin = open_store(tmp_path / "twin", StoreOptions(BOX))
    with twin.database:
        keep(twin, [70, 80])
        with Uploader(twin, Service(ServiceAddress(door.url, KEY)), pace=QUICK) as first:
            awaited(first, is_done)
    keep(box, [1])
    uploader = uploading(door.url)
    assert (error := awaited(uploader, has_failed).error) and error.code == "upload.behind"
    keep(box, [2])
    assert awaited(uploader, lambda progress: bool(progress.error and progress.error.code == "upload.fork"))
    assert counts(there)["ledger"] == 2


def test_a_service_that_was_set_back_gets_what_it_lost(
    box: Store, there: Store, uploading: Callable[..., Uploader], tmp_path: Path
) -> None:
    port = free_port()
    keep(box, range(3))
    with opened_door(there, port):
        uploader = uploading(f"http://127.0.0.1:{port}")
        awaited(uploader, is_done)
    older = open_store(tmp_path / "older", StoreOptions("service"))
    with older.database, opened_door(older, port):
        keep(box, range(3, 5))
        uploader.wake()
        awaited(uploader, lambda progress: is_done(progress) and progress.confirmed == 5)
        assert_holds(older, BOX, 5)


def test_new_records_do_not_hurry_a_service_that_is_away(
    box: Store, door: Door, uploading: Callable[..., Uploader]
) -> None:
    door.instead += [("GET", Instead(503))] * 100
    uploader = uploading(door.url, pace=Pace(first_s=30.0))
    awaited(uploader, has_failed)
    for number in range(10):
        keep(box, [number])
        uploader.wake()
    assert len(door.seen) == 1


def test_a_service_is_left_alone_for_as_long_as_it_asks(
    box: Store, door: Door, uploading: Callable[..., Uploader]
) -> None:
    door.instead.append(("GET", Instead(429, {"Retry-After": "1"})))
    keep(box, [1])
    awaited(uploading(door.url, pace=Pace(first_s=0.01)), is_done)
    (first, *_), (second, *_) = door.seen[:2]
    assert second - first >= 1.0


def test_it_does_not_wait_longer_than_it_may(box: Store, door: Door, uploading: Callable[..., Uploader]) -> None:
    door.instead += [("GET", Instead(503, {"Retry-After": "9" * 400})), ("GET", Instead(503, {"Retry-After": "soon"}))]
    keep(box, [1])
    awaited(uploading(door.url), is_done)


def test_records_that_come_closely_go_together(box: Store, door: Door, uploading: Callable[..., Uploader]) -> None:
    uploader = uploading(door.url, pace=Pace(gather_s=2.0))
    awaited(uploader, lambda progress: progress.confirmed == 0)
    for number in range(3):
        keep(box, [number])
        uploader.wake()
        time.sleep(0.3)
    awaited(uploader, is_done)
    assert len(door.asked("POST /api/v1/edge/line-1")) == 1


def test_it_ends_at_once_while_it_waits_and_soon_while_it_asks(
    box: Store, door: Door, uploading: Callable[..., Uploader]
) -> None:
    awaited(waiting := uploading(door.url, pace=Pace(idle_s=60.0)), is_done)
    began = time.monotonic()
    waiting.close()
    assert time.monotonic() - began < 4.0
    door.instead.append(("GET", Instead(delay_s=5.0)))
    asking = uploading(door.url, pace=Pace(close_s=0.2))
    while len(door.seen) < 2:
        time.sleep(0.005)
    began = time.monotonic()
    asking.close()
    assert time.monotonic() - began < 4.0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_this_program_ends_it_and_is_told(
    box: Store, there: Store, door: Door, uploading: Callable[..., Uploader], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(box, [1, 2])
    uploader = uploading(door.url)
    awaited(uploader, is_done)
    with monkeypatch.context() as faulty:
        faulty.setattr(Service, "take", lambda *_: 1 // 0)
        keep(box, [3])
        uploader.wake()
        progress = awaited(uploader, has_failed)
    assert (type(progress.error), progress.confirmed, progress.waiting) == (UploadEndedError, 2, 1)
    assert BOX in str(progress.error)
    uploader.close()
    awaited(uploading(door.url), is_done)
    assert_holds(there, BOX, 3)


def test_one_that_was_ended_is_no_fault(box: Store, door: Door, uploading: Callable[..., Uploader]) -> None:
    awaited(uploader := uploading(door.url), is_done)
    uploader.close()
    assert uploader.progress().error is None


def test_what_is_damaged_here_is_told(box: Store, door: Door, uploading: Callable[..., Uploader]) -> None:
    keep(box, range(3))
    with box.database.writing() as connection:
        connection.execute(ledger.update().where(ledger.c.seq == 2).values(body=b"\xff"))
    error = awaited(uploading(door.url), has_failed).error
    assert error
    assert (error.code, error.params["subject"]) == ("upload.damaged", f"{BOX} 1")


def test_the_key_goes_with_every_request_and_is_shown_nowhere(
    box: Store, door: Door, uploading: Callable[..., Uploader], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    door.instead += [("GET", Instead(401)), ("GET", Instead())]
    keep(box, [1])
    uploader = uploading(door.url)
    shown = [repr(awaited(uploader, has_failed)), repr(awaited(uploader, is_done)), repr(ServiceAddress("x", KEY))]
    assert {headers["Authorization"] for _, _, headers in door.seen} == {f"Bearer {KEY}"}
    assert KEY not in "".join([*shown, caplog.text, *(str(vars(record)) for record in caplog.records)])


def test_the_key_is_read_from_its_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert load_key(file, {}) == load_key(None, {KEY_VARIABLE: KEY}) == KEY
    for contents in (b"", b"two words", b"a\nb", "schlüssel".encode(), b"\xff"):
        file.write_bytes(contents)
        with pytest.raises(OptionError, match=r"upload\.no_key") as refused:
            load_key(file, {KEY_VARIABLE: KEY})
        assert not contents or contents.decode(errors="replace") not in str(refused.value)
    for missing in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(OptionError, match=r"upload\.no_key"):
            load_key(missing, {})
    with pytest.raises(OptionError, match=r"upload\.no_key"):
        load_key(None, {})


@pytest.mark.parametrize(
    "url",
    [
        "http://andon.example",
        "http://127.0.0.1.example",
        "ftp://127.0.0.1",
        "andon.example",
        "https://",
        "https://user:pass@andon.example",
        "https://andon.example?x=1",
        "https://andon.example:99999",
        "https://andon..example",
        "https://xn--a.example",
        f"https://{'a' * 64}.example",
        "",
    ],
)
def test_an_address_that_would_betray_the_key_is_refused(url: str) -> None:
    with pytest.raises(OptionError, match=r"upload\.address") as refused:
        Service(ServiceAddress(url, KEY))
    assert "pass" not in str(refused.value)


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "nowhere.pem"):
        with pytest.raises(OptionError, match=r"upload\.ca"):
            Service(ServiceAddress("https://andon.example", KEY, tmp_path / name))


@pytest.mark.parametrize("origin", ["a/b", "..", "."])
def test_a_name_that_no_address_holds_is_refused(tmp_path: Path, origin: str) -> None:
    store = open_store(tmp_path, StoreOptions(origin))
    with store.database, pytest.raises(OptionError, match=r"upload\.name"):
        Uploader(store, Service(ServiceAddress("http://localhost", KEY)))


def test_names_of_any_script_are_sent(tmp_path: Path, there: Store, door: Door) -> None:
    """The door reads paths as they come, so that this shows what goes over the wire."""
    store = open_store(tmp_path / "other", StoreOptions("产线 1?#%"))
    with store.database, Uploader(store, Service(ServiceAddress(door.url, KEY)), pace=QUICK) as uploader:
        awaited(uploader, lambda progress: progress.confirmed == 0)
    assert door.asked("GET") == ["GET /api/v1/edge/%E4%BA%A7%E7%BA%BF%201%3F%23%25/head"]
