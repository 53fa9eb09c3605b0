"""The sidecar of a record: a JSON object beside it that says what the file does not.

The sidecar of ``pump.csv`` is ``pump.csv.json`` or, where there is none, ``pump.json``. It may have the keys ``rate_hz``,
``rpm``, ``unit``, ``orders`` (``[bpfo, bpfi, bsf, ftf]`` or an object with these keys), ``column``, ``asset``, ``sensor``,
``time`` (ISO 8601), ``label``, ``unit_id`` or ``bearing`` (the physical unit) and ``scale``; others are ignored.
"""

from datetime import datetime
from pathlib import Path

import msgspec

from andon.datasets.vibration.hints import RecordHints
from andon.models.types.errors import RecordError
from andon.models.types.vibration import BearingOrders

SUFFIX = ".json"


class Sidecar(msgspec.Struct, frozen=True):
    """What a sidecar says.

    Parameters
    ----------
    scale
        What a 1 in the file means in ``unit``: for integer WAV, the full scale of the recorder.
    label
        The fault of the record; ``"none"`` where healthy.
    unit_id, bearing
        The physical unit that was measured; also the asset, where no other is named.
    """

    rate_hz: float | None = None
    rpm: float | None = None
    unit: str | None = None
    orders: tuple[float, float, float, float] | BearingOrders | None = None
    column: str | None = None
    asset: str | None = None
    sensor: str | None = None
    time: datetime | None = None
    scale: float = 1.0
    label: str | None = None
    unit_id: str | None = None
    bearing: str | None = None

    @property
    def hints(self) -> RecordHints:
        """What of it a record takes."""
        orders = BearingOrders(*self.orders) if isinstance(self.orders, tuple) else self.orders
        asset = self.asset or self.physical_unit
        return RecordHints(self.column, self.rate_hz, self.rpm, self.unit, orders, asset, self.sensor, self.time)

    @property
    def physical_unit(self) -> str | None:
        """The physical unit that it names: ``unit_id``, else ``bearing``, else ``asset``."""
        return self.unit_id or self.bearing or self.asset or None


def sidecar_path(record: Path) -> Path | None:
    """Where the sidecar of ``record`` is; None where it has none."""
    named = (record.with_name(record.name + SUFFIX), record.with_suffix(SUFFIX))
    return next((path for path in named if path.is_file()), None)


def read_sidecar(record: Path) -> Sidecar:
    """Read the sidecar of ``record``; an empty one where there is none.

    Raises
    ------
    RecordError
        If it is not a JSON object, or a key has a value of another type; the message names the key.
    """
    path = sidecar_path(record)
    if path is None:
        return Sidecar()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Sidecar)
    except OSError as error:
        raise RecordError("record.unreadable", str(path), reason=error.strerror or str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError("record.sidecar", str(path), reason=str(error)) from error
