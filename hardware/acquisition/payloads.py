"""Messages that carry samples: raw numbers or a JSON envelope, with what the topic says of them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import msgspec
import numpy as np

from andon.datasets.vibration.hints import SPELLINGS, in_utc
from andon.models.types.errors import OptionError, RecordError
from andon.models.types.vibration import Samples, Signal, Unit

PLACES = ("asset", "sensor", "rate_hz", "unit")
"""What a level of a topic can say."""

_LAST_YEAR = 9999
_LONGEST_S = 86_400.0
"""As for the stream engine: what lasts longer than a day has a wrong rate rather than that many samples."""


class Payload(StrEnum):
    """What the bytes of a message are."""

    FLOAT32 = "float32"
    """Little-endian IEEE 754 numbers of 32 bits, one after the other."""

    JSON = "json"
    """An object with ``samples``, a list of numbers, or ``data``, base64 of what ``float32`` is; the rest as ``Said``."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of samples beside themselves.

    Parameters
    ----------
    time
        When the first sample was taken: ISO 8601, in UTC where it names no zone, or seconds since 1970.
    sequence
        Number of the message, one more than that of the message before it of the same sensor.
    scale
        What a 1 means in ``unit``.
    """

    asset: str | None = None
    sensor: str | None = None
    rate_hz: float | None = None
    unit: str | None = None
    rpm: float | None = None
    time: datetime | float | None = None
    sequence: int | None = None
    scale: float | None = None

    def over(self, other: "Said") -> "Said":
        """Take each value from here, and from the other where it is not said here."""
        names = Said.__struct_fields__
        return Said(**{name: getattr(other if getattr(self, name) is None else self, name) for name in names})


class _Envelope(Said, frozen=True, kw_only=True):
    samples: list[float] | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A message that could be read; the signal's time is as the sensor says, None where it says none."""

    signal: Signal
    sequence: int | None


class TopicPattern:
    """Topics below which sensors publish: levels such as ``plant``, ``+``, ``#`` or ``{asset}``, and what they say.

    >>> pattern = TopicPattern("plant/{asset}/{sensor}/raw")
    >>> pattern.filter
    'plant/+/+/raw'
    >>> pattern.said("plant/P-101/drive end/raw").sensor
    'drive end'

    Raises
    ------
    OptionError
        A level names something else than ``PLACES``, or there is none.
    """

    def __init__(self, text: str) -> None:
        levels = text.split("/")
        if not all(levels) or "#" in levels[:-1] or any(_is_broken(level) for level in levels):
            raise OptionError("acquisition.topic", "topic", found=text, known=", ".join(PLACES))
        self._places = [level[1:-1] if level.startswith("{") else "" for level in levels]
        self.filter = "/".join("+" if level.startswith("{") else level for level in levels)

    def said(self, topic: str) -> Said:
        """Read a topic that the filter lets through.

        Raises
        ------
        RecordError
            A level that is to be a rate is no number.
        """
        levels = dict(zip(self._places, topic.split("/"), strict=False))
        levels.pop("", None)
        return said_of(topic, levels)


def said_of(subject: str, texts: Mapping[str, str]) -> Said:
    """Read what is said in texts; those with another name say nothing of samples.

    Raises
    ------
    RecordError
        A text that is to be a number or a time is none.
    """
    try:
        return msgspec.convert(dict(texts), Said, strict=False)
    except msgspec.ValidationError as error:
        raise RecordError("acquisition.payload", subject, reason=str(error)) from error


def read_message(payload: Payload, topic: str, body: bytes, beside: Said) -> Delivery:
    """Read a message.

    Parameters
    ----------
    beside
        What topic, properties and configuration say, where the payload does not.

    Raises
    ------
    RecordError
        The bytes are not what they are said to be, or nobody says asset, rate or unit.
    """
    if payload is Payload.FLOAT32:
        return _delivery(topic, beside, _numbers(topic, body))
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError("acquisition.payload", topic, reason=str(error)) from error
    if (envelope.samples is None) == (envelope.data is None):
        raise RecordError("acquisition.payload_samples", topic)
    samples = _numbers(topic, envelope.data) if envelope.data is not None else np.array(envelope.samples, np.float64)
    return _delivery(topic, envelope.over(beside), samples)


def _is_broken(level: str) -> bool:
    if level in ("+", "#"):
        return False
    named = re.fullmatch(r"\{(.*)\}", level)
    return named[1] not in PLACES if named else any(sign in level for sign in "{}+#\0")


def _numbers(topic: str, body: bytes) -> Samples:
    if len(body) % 4:
        raise RecordError("acquisition.payload_length", topic, found=len(body))
    return np.frombuffer(body, "<f4").astype(np.float64)


def _delivery(topic: str, said: Said, samples: Samples) -> Delivery:
    missing = [name for name in ("asset", "rate_hz", "unit") if not getattr(said, name)]
    if missing:
        raise RecordError("acquisition.unsaid", topic, missing=", ".join(missing))
    for reason in _reasons(said, samples):
        raise RecordError("acquisition.payload", topic, reason=reason)
    signal = Signal(
        samples=samples if said.scale is None else samples * said.scale,
        rate_hz=said.rate_hz or 0.0,
        unit=_unit(said.unit or "", topic),
        sensor=said.sensor or "",
        asset=said.asset or "",
        time=_time(said.time),
        rpm=said.rpm,
    )
    return Delivery(signal, said.sequence)


def _reasons(said: Said, samples: Samples) -> Iterator[str]:
    if not len(samples):
        yield "samples: none"
    if said.rate_hz is not None and not 0 < said.rate_hz < np.inf:
        yield f"rate_hz: {said.rate_hz:g}"
    elif said.rate_hz and len(samples) >= _LONGEST_S * said.rate_hz:
        yield f"rate_hz: {said.rate_hz:g}, for {len(samples)} samples"
    if said.rpm is not None and not 0 <= said.rpm < np.inf:
        yield f"rpm: {said.rpm:g}"
    if said.scale is not None and not np.isfinite(said.scale):
        yield f"scale: {said.scale:g}"
    if not _can_be(said.time):
        yield f"time: {said.time}"


def _can_be(time: datetime | float | None) -> bool:
    if isinstance(time, datetime):
        return 1970 <= time.year < _LAST_YEAR
    return time is None or 0 <= time < 86_400 * 365 * (_LAST_YEAR - 1970)


def _time(time: datetime | float | None) -> datetime | None:
    if isinstance(time, datetime) or time is None:
        return time and in_utc(time)
    return datetime.fromtimestamp(time, UTC)


def _unit(text: str, topic: str) -> Unit:
    """Read a unit; in topics ``_`` stands for ``/``."""
    unit = SPELLINGS.get(text.strip()) or SPELLINGS.get(text.strip().replace("_", "/"))
    if unit is None:
        raise RecordError("acquisition.unit", topic, found=text, known=", ".join(Unit))
    return unit
