"""A station answers every trigger within its takt, and says OK of nothing that it did not find good and keep."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import Any

import pytest
from sqlalchemy import text
from tests.conftest import plate
from tests.hardware.edge.parts import HandCamera, HandLink, elapsed_s, no_frame

from andon.datasets.store.inspections import InspectionFilter, KeptInspections
from andon.datasets.store.ledger import entries
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.recorder import BundleRecord
from andon.datasets.store.room import Room
from andon.hardware.edge.stations.judging import Judge, RecipeInUse, no_code
from andon.hardware.edge.stations.recipes import FixedRecipe
from andon.hardware.edge.stations.records import PartRecords
from andon.hardware.edge.stations.station import Station, StationParts
from andon.hardware.plc.handshake import Trigger
from andon.models.bundle.bundle import VisionBundle
from andon.models.bundle.runtime import make_inspector
from andon.models.codes.parsing import parse_code
from andon.models.codes.reading import part_code_in
from andon.models.ledger.chain import Head, verify
from andon.models.types.camera import CameraLostError, CameraSettings, TriggerSource
from andon.models.types.errors import ResourceError
from andon.models.types.line import LineFault, LineOutputs, VerdictCode
from andon.models.types.vision import Frame, Inspection, Inspector, Verdict
from andon.models.vision.decoding import decode_image

TAKT_S = 2.0
GOOD, BAD = plate(3), plate(3, True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path, StoreOptions("box", reserve_bytes=0))
    with opened.database:
        yield opened


@pytest.fixture
def link() -> HandLink:
    return HandLink()


@pytest.fixture
def camera() -> HandCamera:
    return HandCamera()


@pytest.fixture
def recipe(tiny_bundle: VisionBundle) -> RecipeInUse:
    bundle = BundleRecord(tiny_bundle.digest, "plates", tiny_bundle.manifest.label, tiny_bundle.manifest.encode())
    return RecipeInUse("plates", "d" * 64, CameraSettings(exposure_us=100.0), bundle, make_inspector(tiny_bundle))


Running = Callable[..., Station]


@contextmanager
def running(store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse, **changed: Any) -> Iterator[Station]:
    records, stop = PartRecords(store), Event()
    parts = StationParts(
        name="S1",
        takt_s=TAKT_S,
        link=link,
        judge=Judge(camera, 1, no_code),
        recipes={0: FixedRecipe(recipe)},
        records=records,
    )
    station = Station(replace(parts, **changed))
    thread = Thread(target=station.run, args=(stop,))
    thread.start()
    try:
        yield station
    finally:
        stop.set()
        thread.join()
        records.close()


def kinds(store: Store) -> list[str]:
    return [json.loads(entry.body)["kind"] for entry in entries(store.database, "box")]


def records(store: Store, kind: str) -> list[dict[str, object]]:
    found = [json.loads(entry.body) for entry in entries(store.database, "box")]
    return [each["record"] for each in found if each["kind"] == kind]


def documents(store: Store) -> list[dict[str, Any]]:
    page = KeptInspections(store.database).page(InspectionFilter(), None, 500)
    return [json.loads(each.document) for each in reversed(page.items)]


def test_good_and_bad_parts_are_told_apart_kept_and_acknowledged(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    camera.before.extend([GOOD, BAD, GOOD])
    with running(store, link, camera, recipe):
        answers = [link.part(count, serial=f"A{count}") for count in (1, 2, 3)]
    assert [(each.verdict, each.trigger_count) for each in answers] == [
        (VerdictCode.OK, 1),
        (VerdictCode.NG, 2),
        (VerdictCode.OK, 3),
    ]
    assert [each["verdict"] for each in documents(store)] == ["OK", "NG", "OK"]
    assert [each["serial"] for each in documents(store)] == ["A1", "A2", "A3"]
    # Nobody waits for what the PLC took to be kept: the next part may be kept before.
    assert sorted(kinds(store)) == ["inspection"] * 3 + ["plc_answer"] * 3
    assert [each["told"] for each in records(store, "plc_answer")] == ["OK", "NG", "OK"]
    assert verify(entries(store.database, "box"), Head("box")).broken is None
    assert camera.applied == [CameraSettings(exposure_us=100.0)]
    assert link.told[-1].fault is LineFault.STOPPED


def test_the_picture_is_kept_without_loss(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    camera.before.append(BAD)
    with running(store, link, camera, recipe):
        link.part(1)
    (document,) = documents(store)
    assert (decode_image(store.blobs.get(str(document["image"])), "image") == BAD).all()


def test_a_picture_with_gaps_is_taken_again(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    camera.gaps = 1
    with running(store, link, camera, recipe):
        assert link.part(1).ok
    assert documents(store)[0]["line"]["takes"] == 2


class Gated:
    """An inspector whose gate refuses so many pictures."""

    def __init__(self, inner: Inspector, refused: int) -> None:
        self.inner, self.refused = inner, refused

    def inspect(self, frame: Frame) -> Inspection:
        found = self.inner.inspect(frame)
        self.refused -= 1
        return replace(found, verdict=Verdict.RETAKE, reason="gate.dark") if self.refused >= 0 else found


@pytest.mark.parametrize(("refused", "told", "verdict"), [(1, VerdictCode.OK, "OK"), (2, VerdictCode.NG, "RETAKE")])
def test_a_picture_that_a_gate_refuses_is_taken_again_and_then_the_part_is_ng(
    store: Store,
    link: HandLink,
    camera: HandCamera,
    recipe: RecipeInUse,
    refused: int,
    told: VerdictCode,
    verdict: str,
) -> None:
    gated = with_inspector(recipe, Gated(recipe.inspector, refused))
    with running(store, link, camera, gated) as station:
        assert link.part(1).verdict is told
        assert station.figures.unclear == (verdict == "RETAKE")
    assert documents(store)[0]["verdict"] == verdict


def with_inspector(recipe: RecipeInUse, inspector: Inspector) -> RecipeInUse:
    return replace(recipe, inspector=inspector)


def test_the_next_parts_picture_is_not_taken_for_this_one(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    gated = with_inspector(recipe, Gated(recipe.inspector, 1))
    by_a_line = replace(gated, settings=CameraSettings(trigger=TriggerSource.HARDWARE))
    with running(store, link, camera, by_a_line):
        assert link.part(1).verdict is VerdictCode.NG
        assert camera.grabbed == 1
        assert link.part(2).ok


class Failing:
    """An inspector that fails, as its model would."""

    def inspect(self, frame: Frame) -> Inspection:
        raise ResourceError("graph.failed", "model", reason="out of memory")


class Slow:
    """An inspector that takes longer than the takt, once."""

    def __init__(self, inner: Inspector, seconds: float) -> None:
        self.inner, self.seconds = inner, seconds

    def inspect(self, frame: Frame) -> Inspection:
        seconds, self.seconds = self.seconds, 0.0
        sleep(seconds)
        return self.inner.inspect(frame)


def assert_failed(answer: LineOutputs, fault: LineFault) -> None:
    assert (answer.ok, answer.ng, answer.error) == (False, True, True)
    assert (answer.verdict, answer.fault) == (VerdictCode.ERROR, fault)


def test_a_camera_that_is_lost_is_an_error_and_the_station_stops_until_it_is_back(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    camera.before.append(CameraLostError("edge.ended", "camera"))
    with running(store, link, camera, recipe):
        link.until(lambda said: said.trigger_ready)
        camera.is_lost = True
        assert_failed(link.ask(1), LineFault.CAMERA)
        assert not link.told[-1].trigger_ready
        assert_failed(link.ask(2), LineFault.CAMERA)
        camera.is_lost = False
        camera.before.clear()
        assert link.part(3).ok
    assert [each["fault"] for each in records(store, "unjudged")] == ["CAMERA", "CAMERA"]
    assert len(camera.applied) == 2


def test_an_idle_station_sees_within_two_seconds_that_its_camera_is_lost(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    with running(store, link, camera, recipe):
        link.until(lambda said: said.trigger_ready)
        camera.is_lost = True
        link.until(lambda said: said.fault is LineFault.CAMERA and not said.trigger_ready, within_s=2.0)


def test_pictures_that_all_have_gaps_are_an_error(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    camera.gaps = 2
    with running(store, link, camera, recipe):
        assert_failed(link.part(1), LineFault.FRAME)
        assert link.part(2).ok
    assert camera.grabbed == 3


def test_a_frame_that_does_not_come_is_an_error(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    camera.before.append(no_frame())
    with running(store, link, camera, recipe):
        assert_failed(link.part(1), LineFault.FRAME)
        assert link.part(2).ok


def test_a_model_that_fails_is_an_error(store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse) -> None:
    with running(store, link, camera, with_inspector(recipe, Failing())):
        assert_failed(link.part(1), LineFault.MODEL)
    assert kinds(store) == ["unjudged"]


def test_a_model_that_is_slow_is_an_error_within_the_takt_and_is_ended(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    slow = with_inspector(recipe, Slow(recipe.inspector, 1.0))
    with running(store, link, camera, slow, takt_s=0.4) as station:
        link.until(lambda said: said.trigger_ready)
        answer: list[LineOutputs] = []
        assert elapsed_s(lambda: answer.append(link.ask(1))) < 0.7
        assert_failed(answer[0], LineFault.TAKT)
        assert_failed(link.ask(2), LineFault.MODEL)
        assert link.part(3).ok
        assert station.figures.told == {VerdictCode.ERROR: 2, VerdictCode.OK: 1}
    assert [each["fault"] for each in records(store, "unjudged")] == ["MODEL", "TAKT"]
    assert len(documents(store)) == 1


class SlowRecords(PartRecords):
    """Records on a disk that takes longer than the takt, once."""

    seconds = 1.0

    def keep(self, *kept: Any) -> str:
        seconds, self.seconds = self.seconds, 0.0
        sleep(seconds)
        return super().keep(*kept)


def test_a_record_that_comes_too_late_says_what_was_told(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    slow = SlowRecords(store)
    with running(store, link, camera, recipe, takt_s=0.4, records=slow):
        assert_failed(link.part(1), LineFault.TAKT)
        assert link.part(2).ok
    slow.close()
    late, good = documents(store)
    told = [(each["inspection"], each["told"]) for each in records(store, "plc_answer")]
    assert told == [(late["id"], "ERROR"), (good["id"], "OK")]


def test_the_heart_beats_while_a_part_is_judged(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    slow = with_inspector(recipe, Slow(recipe.inspector, 0.6))
    with running(store, link, camera, slow):
        assert link.part(1).ok
    assert len({each.heartbeat for each in link.told if each.busy}) >= 4


def test_a_full_disk_is_an_error_and_the_station_stops_until_there_is_room(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse, tmp_path: Path
) -> None:
    free = [1 << 40]

    class FakeRoom(Room):
        def free_bytes(self) -> int:
            return free[0]

    with running(replace(store, room=FakeRoom(tmp_path, 1 << 30)), link, camera, recipe):
        link.until(lambda said: said.trigger_ready)
        free[0] = 0
        assert_failed(link.ask(1), LineFault.STORAGE)
        link.until(lambda said: said.fault is LineFault.STORAGE)
        assert not link.told[-1].trigger_ready
        free[0] = 1 << 40
        assert link.part(2).ok
    assert len(documents(store)) == 1


def test_a_database_that_refuses_is_an_error(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    with running(store, link, camera, recipe):
        link.until(lambda said: said.trigger_ready)
        with store.database.writing() as connection:
            connection.execute(text("ALTER TABLE tallies RENAME TO hidden"))
        assert_failed(link.ask(1), LineFault.STORAGE)
        with store.database.writing() as connection:
            connection.execute(text("ALTER TABLE hidden RENAME TO tallies"))
        assert link.part(2).ok


def test_a_plc_that_is_away_finds_its_answer_when_it_is_back(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    slow = with_inspector(recipe, Slow(recipe.inspector, 0.3))
    with running(store, link, camera, slow):
        link.until(lambda said: said.trigger_ready)
        link.say(trigger=True, trigger_count=1)
        link.until(lambda said: said.busy)
        link.is_lost = True
        sleep(0.6)
        assert not link.told[-1].results_ready
        link.is_lost = False
        assert link.ask(1).ok
    assert len(documents(store)) == 1


def test_a_station_that_starts_anew_repeats_what_the_plc_did_not_take(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    camera.before.append(BAD)
    with running(store, link, camera, recipe):
        link.until(lambda said: said.trigger_ready)
        link.say(trigger=True, trigger_count=9, serial="A9")
        link.until(lambda said: said.results_ready)
    again = HandLink()
    with running(store, again, camera, recipe):
        answer = again.part(9, serial="A9")
        assert (answer.verdict, answer.trigger_count) == (VerdictCode.NG, 9)
        assert again.part(10, serial="A10").ok
    assert [each["serial"] for each in documents(store)] == ["A9", "A10"]


def test_a_station_that_starts_anew_judges_anew_what_comes_under_a_count_that_was_taken(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    camera.before.extend([GOOD, BAD])
    with running(store, link, camera, recipe):
        assert link.part(9).ok
    again = HandLink()
    with running(store, again, camera, recipe):
        assert again.part(9).ng
    assert len(documents(store)) == 2


def test_the_plc_changes_the_recipe(store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse) -> None:
    lids = replace(recipe, name="lids", digest="e" * 64, settings=CameraSettings(exposure_us=7.0))
    with running(store, link, camera, recipe, recipes={1: FixedRecipe(recipe), 2: FixedRecipe(lids)}):
        assert link.part(1, recipe=1).ok
        # With the trigger itself, where the software triggers the camera.
        assert link.part(2, recipe=2).ok
        link.until(lambda said: said.recipe == 2)
        assert_failed(link.part(3, recipe=5), LineFault.RECIPE)
        assert link.part(4, recipe=1).ok
    assert [each["recipe"] for each in documents(store)] == ["d" * 64, "e" * 64, "d" * 64]
    assert camera.applied == [recipe.settings, lids.settings, recipe.settings]


def test_settings_that_the_camera_refuses_judge_no_part(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    lids = replace(recipe, name="lids", settings=CameraSettings(exposure_us=7.0))
    with running(store, link, camera, recipe, recipes={1: FixedRecipe(recipe), 2: FixedRecipe(lids)}):
        assert link.part(1, recipe=1).ok
        camera.refused.append(lids.settings)
        assert_failed(link.part(2, recipe=2), LineFault.CAMERA)
        # Neither does the part after it get a picture by the settings before.
        assert_failed(link.ask(3, recipe=2), LineFault.CAMERA)
        assert not link.told[-1].trigger_ready
        camera.refused.clear()
        assert link.part(4, recipe=2).ok
    assert camera.applied[-1] == lids.settings
    assert [each["serial"] for each in documents(store)] == [None, None]


def test_a_part_that_was_exposed_by_another_recipe_is_an_error(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    settings = CameraSettings(trigger=TriggerSource.HARDWARE)
    recipes = {number: FixedRecipe(replace(recipe, name=f"R{number}", settings=settings)) for number in (1, 2)}
    with running(store, link, camera, recipe, recipes=recipes):
        assert_failed(link.part(1, recipe=2), LineFault.RECIPE)
        link.until(lambda said: said.recipe == 2 and said.trigger_ready)
        assert link.part(2, recipe=2).ok


@pytest.mark.parametrize("serial", ["(01)123", "A\ufffd1"])
def test_a_serial_number_that_cannot_be_is_an_error(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse, serial: str
) -> None:
    with running(store, link, camera, recipe):
        assert_failed(link.part(1, serial=serial), LineFault.SERIAL)
    assert camera.grabbed == 0


class Boards:
    """Serial numbers that are handed over one by one."""

    failure: str | None = None

    def __init__(self, *serials: str) -> None:
        self.left = list(serials)

    def attend(self, is_free: bool) -> None:
        pass

    def take(self, trigger: Trigger) -> str:
        return self.left.pop(0)


def test_a_part_that_is_not_judged_takes_its_board_along(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    with running(store, link, camera, recipe, serials=Boards("B1", "B2", "B3", "B4")):
        assert link.part(1).ok
        assert_failed(link.part(2, recipe=5), LineFault.RECIPE)
        link.until(lambda said: said.trigger_ready)
        camera.is_lost = True
        link.until(lambda said: not said.trigger_ready)
        assert_failed(link.ask(3), LineFault.CAMERA)
        camera.is_lost = False
        assert link.part(4).ok
    assert [each["serial"] for each in documents(store)] == ["B1", "B4"]


def test_an_answer_is_repeated_where_the_picture_said_whose_it_is(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    named = Judge(camera, 0, lambda _frame: parse_code("A9"))
    with running(store, link, camera, recipe, judge=named):
        link.until(lambda said: said.trigger_ready)
        link.say(trigger=True, trigger_count=9)
        link.until(lambda said: said.results_ready)
    again = HandLink()
    with running(store, again, camera, recipe, judge=named):
        assert again.part(9).ok
    assert [each["part"] for each in documents(store)] == ["A9"]


def test_a_part_whose_code_cannot_be_read_does_not_pass(
    store: Store, link: HandLink, camera: HandCamera, recipe: RecipeInUse
) -> None:
    with running(store, link, camera, recipe, judge=Judge(camera, 0, part_code_in)):
        assert link.part(1).verdict is VerdictCode.NG
    assert documents(store)[0]["reason"] == "edge.no_code"
