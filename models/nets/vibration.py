"""Spectra and indicators of vibration as one graph.

Everything is computed in float64. Prewhitening divides every line by its own height, down to 1e-6 of the highest: there the
rounding of a float32 transform, 3e-7 of the highest, would decide the phase.

Transforms are two products with small matrices each (Gentleman and Sande, AFIPS 1966: n = rows * columns). onnxruntime's
DFT operator is as exact in float64, but other runtimes lack it, and at 16,384 points the three that are needed take longer
than this whole graph (``tests/bench/bench_signal_graph.py``).

Constants are buffers wherever float32 cannot hold them: torch's exporter rounds a Python number to float32, whatever it is
multiplied with.
"""

from math import pi

import torch
from torch import Tensor, nn

from andon.models.vibration.envelope import MAX_BAND_HZ, RELATIVE_FLOOR
from andon.models.vibration.integration import HANN_MEAN_SQUARE, UNIT_STEP
from andon.models.vibration.signal_graph import HARMONICS
from andon.models.vibration.zones import NORMAL_BAND


class RealTransform(nn.Module):
    """``sum_i x[i] exp(-2 pi j i k / n)`` for k = 0 ... n / 2, of n = rows * columns real samples."""

    across: Tensor
    down: Tensor

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.lines = rows * columns // 2 + 1
        self.kept_rows = rows // 2 + 1
        across = _angles(columns, columns, columns)
        down = _complex_product(-_angles(self.kept_rows, rows, rows))
        self.register_buffer("across", torch.cat([across.cos(), -across.sin()], dim=1))
        self.register_buffer("down", down)
        self.twiddle = Rotation(-_angles(rows, columns, rows * columns))

    def forward(self, grid: Tensor) -> tuple[Tensor, Tensor]:
        """Transform ``grid``, ``[batch, rows, columns]`` with x[i] at row i % rows: real and imaginary ``[batch, n / 2 + 1]``."""
        real, imaginary = self.twiddle(*(grid @ self.across).chunk(2, dim=2))
        spectrum = self.down @ torch.cat([real, imaginary], dim=1)
        real, imaginary = (part.flatten(1)[:, : self.lines] for part in spectrum.chunk(2, dim=1))
        return real, imaginary


class AnalyticSignal(nn.Module):
    """The analytic signal of a spectrum: its inverse transform with positive frequencies doubled, negative ones dropped.

    The highest line, half the rate, counts as positive, as in ``andon.models.vibration.envelope``.
    """

    across: Tensor
    down: Tensor
    highest: Tensor

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.rows, self.columns, n = rows, columns, rows * columns
        across = _complex_product(_angles(columns, columns, columns)).T
        self.register_buffer("down", _complex_product(_angles(rows, rows // 2, rows)) * (2 / n))
        self.register_buffer("across", across.contiguous())
        self.register_buffer("highest", ((-1.0) ** torch.arange(rows).double() * (2 / n))[:, None])
        self.twiddle = Rotation(_angles(rows, columns, n))

    def forward(self, real: Tensor, imaginary: Tensor) -> tuple[Tensor, Tensor]:
        """Return real and imaginary ``[batch, rows, columns]``, sample i at row i % rows; line 0 must be zero."""
        half = torch.cat([self._grid(real), self._grid(imaginary)], dim=1)
        turned = self.twiddle(*(self.down @ half).chunk(2, dim=1))
        signal, quadrature = (torch.cat(turned, dim=2) @ self.across).chunk(2, dim=2)
        return signal + self.highest * real[:, -1, None, None], quadrature

    def _grid(self, part: Tensor) -> Tensor:
        return part[:, :-1].reshape(-1, self.rows // 2, self.columns)


class Rotation(nn.Module):
    """Turn complex numbers by fixed angles."""

    cos: Tensor
    sin: Tensor

    def __init__(self, angles: Tensor) -> None:
        super().__init__()
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, real: Tensor, imaginary: Tensor) -> tuple[Tensor, Tensor]:
        """Return real and imaginary parts of what is turned."""
        return real * self.cos - imaginary * self.sin, real * self.sin + imaginary * self.cos


class Harmonics(nn.Module):
    """Amplitudes at multiples of the shaft's exact speed, between the lines of the spectrum too."""

    orders: Tensor
    starts: Tensor
    steps: Tensor
    turn: Tensor

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        self.register_buffer("orders", torch.arange(1, HARMONICS + 1).double())
        self.register_buffer("starts", torch.arange(rows).double() * columns)
        self.register_buffer("steps", torch.arange(columns).double())
        self.register_buffer("turn", _exact(2 * pi))

    def forward(self, windowed: Tensor, rate_hz: Tensor, speed_hz: Tensor) -> Tensor:
        """Measure ``windowed`` (``[batch, n]``): ``[batch, 3]``; zero where the speed or rate does not allow it."""
        cycles = speed_hz[:, None] * self.orders / rate_hz
        fine = self.turn * _fraction(self.steps[:, None] * cycles[:, None])
        coarse = self.turn * _fraction(self.starts[:, None] * cycles[:, None])
        within = windowed.reshape(-1, self.rows, self.columns) @ torch.cat([fine.cos(), fine.sin()], dim=2)
        cos, sin = within.chunk(2, dim=2)
        real = (cos * coarse.cos() - sin * coarse.sin()).sum(dim=1)
        imaginary = (cos * coarse.sin() + sin * coarse.cos()).sum(dim=1)
        amplitude = _magnitude(real, imaginary) * (4 / (self.rows * self.columns))
        return torch.where((cycles > 0) & (cycles < 0.5), amplitude, 0.0)


class BandLevel(nn.Module):
    """Rms after ``steps`` integrations within the normal band, as ``andon.models.vibration.integration`` derives it.

    Where the record is so short that the window's correction outweighs the level, zero.
    """

    lines: Tensor
    powers: Tensor
    radian: Tensor
    curvature: Tensor

    def __init__(self, points: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.register_buffer("lines", torch.arange(points // 2 + 1).double())
        self.register_buffer("powers", 1 / (4 * HANN_MEAN_SQUARE * points * _one_sided(points)))
        self.register_buffer("radian", _exact(2 * pi / UNIT_STEP))
        self.register_buffer("curvature", _exact(2 * steps * (2 * steps + 1) / 6))

    def forward(self, amplitude: Tensor, resolution_hz: Tensor) -> Tensor:
        """Measure the level of a spectrum, ``[batch, points / 2 + 1]``: ``[batch]``."""
        half = resolution_hz / 2
        frequency = self.lines * resolution_hz
        reach = (frequency + half).clamp(max=NORMAL_BAND.high_hz) - (frequency - half).clamp(min=NORMAL_BAND.low_hz)
        share = (reach / resolution_hz).clamp(min=0)
        gain = _ratio(torch.ones_like(frequency), self.radian * frequency) ** (2 * self.steps)
        correction = 1 - self.curvature * _ratio(resolution_hz, frequency).square()
        return (amplitude.square() * self.powers @ (share * gain * correction)).clamp(min=0).sqrt()


class VibrationSignal(nn.Module):
    """Amplitude spectrum, squared envelope spectrum, indicators and shaft harmonics of acceleration in m/s2.

    Parameters
    ----------
    points
        Samples of a signal: a power of two, at least 64.
    """

    lines: Tensor
    one_sided: Tensor
    floor: Tensor
    hann: Tensor
    slope: Tensor
    slope_lines: Tensor

    def __init__(self, points: int) -> None:
        super().__init__()
        self.points = points
        self.rows = 1 << (points.bit_length() - 1) // 2
        self.columns = points // self.rows
        self.transform = RealTransform(self.rows, self.columns)
        self.analytic = AnalyticSignal(self.rows, self.columns)
        self.harmonics = Harmonics(self.rows, self.columns)
        self.velocity, self.displacement = BandLevel(points, 1), BandLevel(points, 2)
        self.register_buffer("lines", torch.arange(points // 2 + 1).double())
        self.register_buffer("one_sided", _one_sided(points))
        self.register_buffer("floor", _exact(RELATIVE_FLOOR))
        self.register_buffer("hann", 0.5 - 0.5 * (torch.arange(points).double() * (2 * pi / points)).cos())
        slope = torch.arange(points).double() - (points - 1) / 2
        self.register_buffer("slope", slope / slope.square().sum().sqrt())
        self.register_buffer("slope_lines", torch.view_as_real(torch.fft.rfft(self.slope)).T.contiguous())

    def forward(self, samples: Tensor, rate_hz: Tensor, speed_hz: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Analyse ``samples``; what comes out stands in ``andon.models.vibration.signal_graph``.

        Parameters
        ----------
        samples
            float32 ``[batch, points]``, m/s2.
        rate_hz
            float64 ``[]``.
        speed_hz
            float64 ``[batch]``, of the shaft.
        """
        exact = samples.double()
        centred = exact - exact.mean(dim=1, keepdim=True)
        trend = centred @ self.slope[:, None]
        real, imaginary = self.transform(self._grid(centred))
        resolution_hz = rate_hz / self.points
        envelope = self._squared_envelope(real, imaginary, resolution_hz)
        amplitude = self._amplitude(real - trend * self.slope_lines[0], imaginary - trend * self.slope_lines[1])
        indicators = [
            *_shape_indicators(centred),
            _deviation(envelope[:, ::2]),
            self.velocity(amplitude, resolution_hz),
            self.displacement(amplitude, resolution_hz),
        ]
        first, second, third, fourth = (
            amplitude,
            self.one_sided * _magnitude(*self.transform(envelope)),
            torch.stack(indicators, dim=1),
            self.harmonics((centred - trend * self.slope) * self.hann, rate_hz, speed_hz),
        )
        return first.float(), second.float(), third.float(), fourth.float()

    def _grid(self, samples: Tensor) -> Tensor:
        return samples.reshape(-1, self.columns, self.rows).transpose(1, 2)

    def _amplitude(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Under a periodic Hann window, whose mean is a half: each line half, less a quarter of its neighbours."""
        return 2 * self.one_sided * _magnitude(_smoothed(real, 1.0), _smoothed(imaginary, -1.0))

    def _squared_envelope(self, real: Tensor, imaginary: Tensor, resolution_hz: Tensor) -> Tensor:
        """Squared envelope of the prewhitened band over its mean, less one; zero for a constant signal."""
        band = ((self.lines > 0) & (self.lines * resolution_hz <= MAX_BAND_HZ)).double()
        height = _magnitude(real, imaginary) * band
        white = _ratio(band, torch.maximum(height, self.floor * height.amax(dim=1, keepdim=True)))
        signal, quadrature = self.analytic(real * white, imaginary * white)
        squared = signal.square() + quadrature.square()
        mean = squared.mean(dim=(1, 2), keepdim=True)
        envelope: Tensor = squared * _ratio(torch.ones_like(mean), mean) - (mean > 0).double()
        return envelope


def _exact(number: float) -> Tensor:
    return torch.tensor(number, dtype=torch.float64)


def _one_sided(points: int) -> Tensor:
    """What makes the height of a line an amplitude: every line but the first and last stands for two."""
    lines = torch.arange(points // 2 + 1)
    return torch.where((lines > 0) & (lines < points // 2), 2.0, 1.0).double() / points


def _angles(rows: int, columns: int, turn: int) -> Tensor:
    """``2 pi r c / turn``; whole turns are dropped while the product is an integer, where that is exact."""
    product = torch.outer(torch.arange(rows), torch.arange(columns)) % turn
    return product.double() * (2 * pi / turn)


def _complex_product(angles: Tensor) -> Tensor:
    """Write ``exp(j angles)`` as the real matrix that multiplies real parts stacked on imaginary parts."""
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([torch.cat([cos, -sin], dim=1), torch.cat([sin, cos], dim=1)])


def _smoothed(part: Tensor, mirror: float) -> Tensor:
    extended = torch.cat([mirror * part[:, 1:2], part, mirror * part[:, -2:-1]], dim=1)
    return extended[:, 1:-1] / 2 - (extended[:, :-2] + extended[:, 2:]) / 4


def _shape_indicators(centred: Tensor) -> list[Tensor]:
    """Rms, peak, crest, kurtosis, skewness, shape, impulse."""
    square, magnitude = centred.square(), centred.abs()
    power = square.mean(dim=1)
    rms, peak, rectified = power.sqrt(), magnitude.amax(dim=1), magnitude.mean(dim=1)
    kurtosis = _ratio(square.square().mean(dim=1), power.square())
    skewness = _ratio((square * centred).mean(dim=1), power * rms)
    return [rms, peak, _ratio(peak, rms), kurtosis, skewness, _ratio(rms, rectified), _ratio(peak, rectified)]


def _deviation(envelope: Tensor) -> Tensor:
    return envelope.square().mean(dim=(1, 2)).sqrt()


def _ratio(over: Tensor, under: Tensor) -> Tensor:
    """Divide; zero where nothing moves."""
    return torch.where(under > 0, over / torch.where(under > 0, under, 1.0), 0.0)


def _magnitude(real: Tensor, imaginary: Tensor) -> Tensor:
    return (real.square() + imaginary.square()).sqrt()


def _fraction(cycles: Tensor) -> Tensor:
    """Whole turns dropped: sines of large angles cost accuracy and time."""
    return cycles - cycles.floor()
