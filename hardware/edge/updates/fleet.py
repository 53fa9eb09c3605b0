"""Asks boxes how they are, all at once."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from andon.datasets.registry.http import Server, open_client
from andon.hardware.edge.updates.fleet_file import Box
from andon.hardware.edge.updates.journal import UpdateRefusedError
from andon.hardware.edge.updates.state import Phase
from andon.hardware.edge.updates.waves import Report, Standing
from andon.models.types.errors import AndonError, ResourceError

SCHEMA_VERSION = 1
AT_ONCE = 32
DEADLINE_S = 10.0
"""For a box's whole answer."""

RUNNING = "running"
"""The state of a station that takes parts."""


class Update(msgspec.Struct, frozen=True):
    """How a station's update stands."""

    phase: str = Phase.IDLE.value
    digest: str | None = None
    since: datetime | None = None
    reason: str | None = None


class Station(msgspec.Struct, frozen=True):
    """What a box says of a station. Members that are not needed here are left aside."""

    name: str
    kind: str = ""
    state: str = ""
    fault: str | None = None
    bundle: str | None = None
    bundle_digest: str | None = None
    update: Update | None = None
    errors: int = 0
    last_verdict_time: str | None = None
    p99_ms: float | None = None

    @property
    def is_well(self) -> bool:
        """Whether it can judge."""
        return self.state == RUNNING


class Outbox(msgspec.Struct, frozen=True):
    """What waits to be sent, where the box sends anything."""

    waiting: int = 0
    last_error: str | None = None


class Status(msgspec.Struct, frozen=True):
    """What a box says of itself."""

    schema_version: int
    box: str = ""
    stations: tuple[Station, ...] = ()
    outbox: Outbox | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A box with its status, or why there is none."""

    box: Box
    status: Status | None = None
    error: AndonError | None = None

    @property
    def is_well(self) -> bool:
        """Whether it answers, and each of its stations can judge."""
        return self.status is not None and all(station.is_well for station in self.status.stations)


def ask_all(boxes: Sequence[Box], deadline_s: float = DEADLINE_S) -> list[Answer]:
    """Ask every box; one that does not answer keeps none of the others waiting."""
    with ThreadPoolExecutor(min(AT_ONCE, len(boxes))) as pool:
        return list(pool.map(lambda box: _ask(box, deadline_s), boxes))


def roll_back(box: Box, asked: Mapping[str, str | None]) -> None:
    """Let a box go back to another version of a release.

    Parameters
    ----------
    asked
        ``release``, ``by`` and ``digest``, as the box takes them.

    Raises
    ------
    UpdateRefusedError
        There is none to go back to.
    ResourceError
        The box does not answer, or lets nobody in.
    """
    place = urljoin(box.url, "roll-back")
    with _client(box) as client:
        try:
            answer = client.post(place, json=dict(asked), timeout=DEADLINE_S)
        except httpx.HTTPError as error:
            raise ResourceError("update.status", place, reason=str(error) or type(error).__name__) from error
    if answer.status_code == httpx.codes.CONFLICT:
        raise UpdateRefusedError("update.box_refuses", box.name, reason=answer.text)
    if not answer.is_success:
        raise ResourceError("update.status", place, reason=f"HTTP {answer.status_code}")


def report_of(answer: Answer, digest: str, name: str | None = None) -> Report:
    """Say how a box stands to a release: as the worst of its stations.

    Parameters
    ----------
    digest
        Of the bundle, or how it begins.
    name
        What it is a release of; stations with other bundles are none of its business then.
    """
    if answer.status is None:
        return Report(Standing.AWAY)
    stations = [each for each in answer.status.stations if name in (None, each.bundle)]
    reports = [_station_report(each, digest) for each in stations]
    return min(reports, key=lambda report: _WORST.index(report.standing), default=Report(Standing.WAITING))


_WORST = (Standing.FAILED, Standing.AWAY, Standing.TRYING, Standing.WAITING, Standing.WELL)
_FAILED = frozenset({Phase.REFUSED, Phase.ROLLED_BACK, Phase.ROLLING_BACK})


def _station_report(station: Station, digest: str) -> Report:
    update = station.update or Update()
    concerns = (update.digest or "").startswith(digest)
    if concerns and update.phase in _FAILED:
        return Report(Standing.FAILED)
    if not (station.bundle_digest or "").startswith(digest):
        return Report(Standing.TRYING if concerns else Standing.WAITING)
    if not station.is_well:
        return Report(Standing.FAILED)
    if concerns and update.phase != Phase.KEPT:
        return Report(Standing.TRYING)
    return Report(Standing.WELL, update.since)


def _ask(box: Box, deadline_s: float) -> Answer:
    try:
        return Answer(box, _status(box, deadline_s))
    except AndonError as error:
        return Answer(box, error=error)


def _status(box: Box, deadline_s: float) -> Status:
    with _client(box) as client:
        document: Any = Server(client, deadline_s).document(urlsplit(box.url).path)
    try:
        status = msgspec.convert(document, Status)
    except msgspec.ValidationError as error:
        raise ResourceError("update.status", box.url, reason=str(error)) from error
    if status.schema_version > SCHEMA_VERSION:
        raise ResourceError("update.status", box.url, reason=f"schema_version {status.schema_version}")
    return status


def _client(box: Box) -> httpx.Client:
    address = urlsplit(box.url)
    headers = {"Authorization": f"Bearer {box.key}"} if box.key else {}
    return open_client(f"{address.scheme}://{address.netloc}", headers, box.ca)
