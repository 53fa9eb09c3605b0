"""Sensors that answer over Modbus TCP: values they have computed, and buffers of samples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from types import TracebackType
from typing import Self

import numpy as np
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from andon.hardware.acquisition.names import check_names
from andon.hardware.acquisition.registers import (
    Kind,
    Register,
    Table,
    WordOrder,
    Words,
    check_addresses,
    decoded,
    pieces,
    spans,
)
from andon.hardware.acquisition.schedule import Ticks
from andon.hardware.acquisition.standing import Report, StandingFaults
from andon.models.types.errors import OptionError, RecordError, ResourceError
from andon.models.types.vibration import Signal, Unit

DEVICES = 247
"""Addresses of devices end there, by MODBUS over Serial Line V1.02, 2.2; 255 and 0 are devices that are servers themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusDevice:
    """Where a sensor answers, and for how long it is waited for."""

    host: str
    port: int = 502
    device_id: int = 1
    timeout_s: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.device_id <= DEVICES or self.device_id == 255):
            raise OptionError("acquisition.device", "device_id", found=self.device_id, limit=DEVICES)
        for name in ("port", "timeout_s"):
            if not getattr(self, name) > 0:
                raise OptionError("acquisition.not_positive", name, found=getattr(self, name))

    @property
    def address(self) -> str:
        """Its name in messages."""
        return f"{self.host}:{self.port}/{self.device_id}"


class ModbusLink:
    """A connection that the first request makes, and the next one anew after it failed."""

    def __init__(self, device: ModbusDevice) -> None:
        self._device = device
        self._client = ModbusTcpClient(device.host, port=device.port, timeout=device.timeout_s, retries=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def subject(self, address: int) -> str:
        """Name of a register in messages."""
        return f"{self._device.address} {address}"

    def read(self, table: Table, address: int, count: int) -> Words:
        """Read up to 125 registers.

        Raises
        ------
        ResourceError
            The device is away.
        RecordError
            It refuses.
        """
        ask = self._client.read_input_registers if table is Table.INPUT else self._client.read_holding_registers
        try:
            answer = ask(address, count=count, device_id=self._device.device_id)
        except (ModbusException, OSError) as error:
            raise self._away(error) from error
        self._check(address, answer.isError(), str(answer))
        if len(answer.registers) != count:
            raise RecordError("acquisition.cut_off", self.subject(address), found=len(answer.registers), expected=count)
        return np.array(answer.registers, np.uint16)

    def write(self, address: int, value: int) -> None:
        """Write one holding register; raises as ``read``."""
        try:
            answer = self._client.write_register(address, value, device_id=self._device.device_id)
        except (ModbusException, OSError) as error:
            raise self._away(error) from error
        self._check(address, answer.isError(), str(answer))

    def _check(self, address: int, is_error: bool, said: str) -> None:
        if is_error:
            raise RecordError("acquisition.register", self.subject(address), reason=said)

    def _away(self, error: Exception) -> ResourceError:
        # An answer that is late would be taken for that to the next question.
        self._close()
        return ResourceError("acquisition.away", self._device.address, reason=" ".join(str(error).split()))

    def _close(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]


class ModbusReadout:
    """A ``Readout`` of registers: values that a sensor has computed. One whose registers the device refuses is None.

    Parameters
    ----------
    registers
        At least one; their names differ.
    """

    def __init__(self, device: ModbusDevice, registers: Sequence[Register]) -> None:
        self._names = [each.name for each in registers]
        check_names(self._names)
        self._spans = spans(registers)
        self.address = device.address
        self.link = ModbusLink(device)

    def read(self, now: datetime, faults: StandingFaults) -> Mapping[str, float | None]:
        """Read what lies together in one request each. Raises ``ResourceError``."""
        values: dict[str, float | None] = dict.fromkeys(self._names)
        for span in self._spans:
            try:
                values |= span.values(self.link.read(span.table, span.address, span.count))
            except RecordError as error:
                faults.note(error)
            else:
                faults.clear(self.link.subject(span.address))
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveformBuffer:
    """Registers in which a sensor puts samples, and one that says when all are there.

    Parameters
    ----------
    ready_address
        Holding register that is 0 while the buffer fills.
    release
        What is written there once the buffer was read, so that the sensor fills it again; None where the sensor goes on by itself and counts
        its buffers there.
    address, samples
        Of the first register of the samples, and how many those are.
    scale, offset
        ``sample = scale * raw + offset``, in ``unit``.
    """

    ready_address: int
    address: int
    samples: int
    rate_hz: float
    unit: Unit
    release: int | None = None
    table: Table = Table.HOLDING
    kind: Kind = Kind.INT16
    words: WordOrder = WordOrder.BIG
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        for name in ("samples", "rate_hz"):
            if not getattr(self, name) > 0:
                raise OptionError("acquisition.not_positive", name, found=getattr(self, name))
        check_addresses("ready_address", self.ready_address, 1)
        check_addresses("address", self.address, self.samples * self.kind.words)

    @property
    def duration(self) -> timedelta:
        """How long the samples last."""
        return timedelta(seconds=self.samples / self.rate_hz)


class ModbusWaveform:
    """A ``SignalSource`` of the buffers of one sensor, a block each.

    The ready register is looked at ``every_s``, and again after the samples were read: a buffer that the sensor filled anew meanwhile is
    left out and reported. A block is taken to have ended when it was first seen to be ready, so its time is late by ``every_s`` at most;
    of a buffer that was ready before the source began nobody knows when it was taken.

    Parameters
    ----------
    report
        Told of what cannot be read or reached.
    stop
        Ends ``blocks`` once it is set, within the time that the device is waited for.
    """

    def __init__(
        self,
        *,
        device: ModbusDevice,
        asset: str,
        sensor: str,
        every_s: float,
        buffer: WaveformBuffer,
        report: Report,
        stop: Event,
    ) -> None:
        self._device, self._asset, self._sensor = device, asset, sensor
        self._buffer, self._stop = buffer, stop
        self._ticks = Ticks(every_s)
        self._faults = StandingFaults(report)
        self._link = ModbusLink(device)
        self._taken = 0

    def __enter__(self) -> Self:
        self._link.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.__exit__(kind, error, trace)

    def blocks(self) -> Iterator[Signal]:
        """Deliver buffers until ``stop`` is set; one is released only once its block was taken."""
        while self._ticks.wait(self._stop):
            try:
                yield from self._looked()
            except (ResourceError, RecordError) as error:
                self._faults.note(error)

    def _looked(self) -> Iterator[Signal]:
        ready = self._ready()
        self._faults.clear(self._device.address)
        if ready and ready != self._taken:
            yield self._block(ready)
            self._faults.clear_all()
        self._taken = ready
        if ready and self._buffer.release is not None:
            # Where this fails, the next look finds the buffer that was taken, and only releases it.
            self._link.write(self._buffer.ready_address, self._buffer.release)
            self._taken = 0

    def _block(self, ready: int) -> Signal:
        seen = datetime.now(UTC)
        samples = self._samples()
        if self._ready() != ready:
            raise RecordError("acquisition.overwritten", self._link.subject(self._buffer.address))
        time = seen - self._buffer.duration
        return Signal(samples, self._buffer.rate_hz, self._buffer.unit, self._sensor, self._asset, time)

    def _ready(self) -> int:
        return int(self._link.read(Table.HOLDING, self._buffer.ready_address, 1)[0])

    def _samples(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        buffer = self._buffer
        requests = pieces(buffer.address, buffer.samples * buffer.kind.words)
        words = np.concatenate([self._link.read(buffer.table, *request) for request in requests])
        return buffer.scale * decoded(words, buffer.kind, buffer.words) + buffer.offset
