"""``modbus`` and ``modbus-waveform``: values that a sensor has computed, and buffers of its samples, over Modbus TCP."""

from dataclasses import dataclass

from andon.hardware.acquisition.kinds import Place
from andon.hardware.acquisition.modbus import ModbusDevice, ModbusReadout, ModbusWaveform, WaveformBuffer
from andon.hardware.acquisition.polled_rows import PolledRows
from andon.hardware.acquisition.registers import Register


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusPlan:
    """Registers of one device that are the process values of one asset, read ``every_s``."""

    host: str
    asset: str
    every_s: float
    registers: tuple[Register, ...]
    port: int = 502
    device_id: int = 1
    timeout_s: float = 1.0

    def source(self, place: Place) -> PolledRows:
        """Ask the device. Raises ``OptionError``."""
        device = ModbusDevice(host=self.host, port=self.port, device_id=self.device_id, timeout_s=self.timeout_s)
        readout = ModbusReadout(device, self.registers)
        return PolledRows(readout, asset=self.asset, every_s=self.every_s, report=place.report, stop=place.stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusWaveformPlan:
    """A buffer that one sensor fills, looked at ``every_s``."""

    host: str
    asset: str
    sensor: str
    every_s: float
    buffer: WaveformBuffer
    port: int = 502
    device_id: int = 1
    timeout_s: float = 1.0

    def source(self, place: Place) -> ModbusWaveform:
        """Ask the device. Raises ``OptionError``."""
        return ModbusWaveform(
            device=ModbusDevice(host=self.host, port=self.port, device_id=self.device_id, timeout_s=self.timeout_s),
            asset=self.asset,
            sensor=self.sensor,
            every_s=self.every_s,
            buffer=self.buffer,
            report=place.report,
            stop=place.stop,
        )
