"""What is said of a record: by the caller, by its sidecar, by the file itself; and who wins."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import isfinite

from andon.models.types.errors import RecordError
from andon.models.types.vibration import BearingOrders, Unit

SPELLINGS: Mapping[str, Unit] = {
    "g": Unit.G,
    "G": Unit.G,
    "m/s2": Unit.M_S2,
    "m/s^2": Unit.M_S2,
    "m/s²": Unit.M_S2,
    "mm/s": Unit.MM_S,
    "um": Unit.UM,
    "\u00b5m": Unit.UM,  # the micro sign, which keyboards give
    "\u03bcm": Unit.UM,  # the Greek letter mu, which looks the same
}
"""How a unit may be written. Case counts, because mG and MG are other units."""


@dataclass(frozen=True, slots=True)
class RecordHints:
    """What somebody says of a record; whatever is None is not said.

    Parameters
    ----------
    column
        Which channel to read, where the file has several.
    rate_hz
        Samples a second.
    rpm
        Measured speed of the shaft; 0 where it stands still.
    unit
        What the samples measure, in one of ``SPELLINGS``.
    orders
        Fault orders of the bearing.
    asset, sensor
        What it was measured on and with.
    time
        When the first sample was taken; in UTC where it names no zone.
    """

    column: str | None = None
    rate_hz: float | None = None
    rpm: float | None = None
    unit: str | None = None
    orders: BearingOrders | None = None
    asset: str | None = None
    sensor: str | None = None
    time: datetime | None = None


NOTHING = RecordHints()


def first_said(*hints: RecordHints) -> RecordHints:
    """Take each field from the first of ``hints`` that says it.

    >>> first_said(RecordHints(rpm=1500.0), RecordHints(rpm=3000.0, unit="g")).rpm
    1500.0
    """
    chosen = {
        field.name: next((said for each in hints if (said := getattr(each, field.name)) is not None), None)
        for field in fields(RecordHints)
    }
    return RecordHints(**chosen)


def unit_named(text: str | None, subject: str) -> Unit:
    """Read a unit.

    >>> unit_named("m/s²", "a.wav")
    <Unit.M_S2: 'm/s2'>

    Raises
    ------
    RecordError
        If there is none, or it is not one of ``SPELLINGS``.
    """
    known = ", ".join(Unit)
    if text is None or not text.strip():
        raise RecordError("record.no_unit", subject, known=known)
    if text.strip() not in SPELLINGS:
        raise RecordError("record.bad_unit", subject, found=text, known=known)
    return SPELLINGS[text.strip()]


def rate_checked(rate_hz: float | None, subject: str) -> float:
    """Return the rate as it is.

    Raises
    ------
    RecordError
        If there is none, or it is not a finite number above 0.
    """
    if rate_hz is None:
        raise RecordError("record.no_rate", subject)
    if not (isfinite(rate_hz) and rate_hz > 0):
        raise RecordError("record.bad_rate", subject, found=rate_hz)
    return float(rate_hz)


def rpm_checked(rpm: float | None, subject: str) -> float | None:
    """Return the speed as it is.

    Raises
    ------
    RecordError
        If it is said and is not a finite number from 0.
    """
    if rpm is not None and not (isfinite(rpm) and rpm >= 0):
        raise RecordError("record.bad_rpm", subject, found=rpm)
    return None if rpm is None else float(rpm)


def orders_checked(orders: BearingOrders | None, subject: str) -> BearingOrders | None:
    """Return the orders as they are.

    Raises
    ------
    RecordError
        If they are said and are not finite numbers above 0.
    """
    if orders is not None:
        values = (orders.bpfo, orders.bpfi, orders.bsf, orders.ftf)
        if not all(isfinite(value) and value > 0 for value in values):
            raise RecordError("record.bad_orders", subject, found=", ".join(f"{value:g}" for value in values))
    return orders


def in_utc(time: datetime) -> datetime:
    """Return the time in UTC, which is also taken where it names no zone."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
