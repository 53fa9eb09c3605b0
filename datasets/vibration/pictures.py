"""The pictures of a diagnosis, in files. Whoever draws none leaves this out: matplotlib takes a second to import, and need not be installed."""

from pathlib import Path

from andon.models.files.outputs import write_output
from andon.models.messages.catalogue import Catalogue
from andon.models.plots.envelope import envelope_plot
from andon.models.plots.kurtogram import kurtogram_plot
from andon.models.plots.spectrum import spectrum_plot
from andon.models.types.vibration import Diagnosis, Machine, Signal
from andon.models.vibration.diagnosis import MAX_DURATION_S
from andon.models.vibration.kurtogram import fast_kurtogram
from andon.models.vibration.units import Quantity, quantity_of

MIN_KURTOGRAM = 4096
"""Samples: 32 in each band of the finest level."""


def draw(signal: Signal, machine: Machine, found: Diagnosis, stem: Path, text: Catalogue) -> list[Path]:
    """Write the pictures of a diagnosis beside each other: ``<stem>-spectrum.png``, ``-envelope.png`` and ``-kurtogram.png``.

    The last one, of acceleration that can be believed alone, shows in which band impacts ring.

    Raises
    ------
    ResourceError
        The disk is full or cannot be written.
    """
    name = stem.name
    pictures = {
        "spectrum": spectrum_plot(signal, machine, found, text, name),
        "envelope": envelope_plot(signal, machine, found, text, name),
        **({"kurtogram": _kurtogram(signal, name, text)} if has_kurtogram(signal, found) else {}),
    }
    paths = {kind: stem.with_name(f"{name}-{kind}.png") for kind in pictures}
    for kind, path in paths.items():
        write_output(path, pictures[kind])
    return list(paths.values())


def has_kurtogram(signal: Signal, found: Diagnosis) -> bool:
    """Whether a record has bands in which to look for impacts."""
    is_acceleration = quantity_of(signal.unit) is Quantity.ACCELERATION
    return found.sensor.ok and is_acceleration and len(signal.samples) >= MIN_KURTOGRAM


def _kurtogram(signal: Signal, name: str, text: Catalogue) -> bytes:
    part = signal.samples[: int(MAX_DURATION_S * signal.rate_hz)]
    return kurtogram_plot(fast_kurtogram(part, signal.rate_hz), signal.rate_hz, name, text)
