"""A device profile: what a box has to compute on, and how Andon is to use it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, NoReturn, get_type_hints

import msgspec

from andon.models.graphs.placement import CPU_PROVIDER, Placement, Provider
from andon.models.types.errors import OptionError

OptionValue = bool | int | float | str

PROVIDERS: Mapping[str, str] = {
    "cpu": CPU_PROVIDER,
    "openvino": "OpenVINOExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "cann": "CANNExecutionProvider",
}
"""onnxruntime's name of what computes on each device."""

DEVICES: Mapping[str, tuple[str, ...]] = {
    "cpu": ("cpu",),
    "openvino": ("openvino", "cpu"),
    "cuda": ("cuda", "cpu"),
    "tensorrt": ("tensorrt", "cuda", "cpu"),
    "qnn": ("qnn", "cpu"),
    "cann": ("cann", "cpu"),
}
"""What is tried for each device, in order. Where the first runs, the others run what it does not take of a graph."""

TESTED = frozenset({"cpu", "openvino"})
"""Devices that Andon's own tests run on; the others are tested with stand-ins only."""

PRECISE: Mapping[str, Mapping[str, str]] = {
    "openvino": {"device_type": "CPU", "precision": "ACCURACY"},
    "cuda": {"use_tf32": "0"},
    "qnn": {"backend_type": "htp"},
    "cann": {"precision_mode": "must_keep_origin_dtype"},
}
"""Options that hold where a profile says nothing else: full precision, since the threshold was set at that."""


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What to compute on.

    Parameters
    ----------
    name
        The device that was asked for.
    providers
        What is tried in order; the CPU comes last.
    threads
        Threads that work on one frame, where it is the CPU that computes.
    cores
        Logical processors, from 0, that judging may use; none for all.
    """

    name: str
    providers: tuple[Provider, ...]
    threads: int = 1
    cores: tuple[int, ...] = ()

    @property
    def is_tested(self) -> bool:
        """Whether Andon's own tests run on such a device."""
        return self.name in TESTED

    @property
    def placements(self) -> tuple[Placement, ...]:
        """What is tried in order: all providers, then without the first, down to the CPU alone."""
        rests = (self.providers[first:] for first in range(len(self.providers)))
        return tuple(Placement(rest, self.threads, self.cores) for rest in rests)


def device_profile(
    device: str = "cpu",
    threads: int = 1,
    cores: Sequence[int] = (),
    options: Mapping[str, Mapping[str, OptionValue]] | None = None,
) -> DeviceProfile:
    """Make the profile of a device.

    Parameters
    ----------
    device
        A key of ``DEVICES``.
    threads
        Threads that work on one frame. One is best where stations run side by side.
    cores
        Logical processors, from 0, that judging may use; none for all.
    options
        Options of onnxruntime's execution providers by device, as ``{"openvino": {"device_type": "GPU"}}``.

    Raises
    ------
    OptionError
        The device is not known, there are fewer cores than threads, a core is named twice or is negative, or the options are for
        another device.
    """
    if device not in DEVICES:
        _refuse("device", device, ", ".join(DEVICES))
    if threads < 1:
        _refuse("threads", threads, "1 or more")
    if len(set(cores)) != len(cores) or min(cores, default=0) < 0:
        _refuse("cores", list(cores), "each once, from 0")
    if cores and len(cores) < threads:
        _refuse("threads", threads, f"at most {len(cores)}: one for each of the cores")
    given = options or {}
    for name in given.keys() - set(DEVICES[device]):
        _refuse(f"options.{name}", name, ", ".join(DEVICES[device]))
    providers = tuple(
        Provider(PROVIDERS[name], _options(name, threads, given.get(name, {}))) for name in DEVICES[device]
    )
    return DeviceProfile(device, providers, threads, tuple(cores))


def read_profile(table: Mapping[str, Any]) -> DeviceProfile:
    """Read the profile that a TOML table describes; its keys are the parameters of ``device_profile``.

    >>> read_profile({"device": "openvino", "cores": [0]}).providers[0].name
    'OpenVINOExecutionProvider'

    Raises
    ------
    OptionError
        A key is not known, or a value cannot be used; it is named with what was found and expected.
    """
    known = list(signature(device_profile).parameters)
    hints = get_type_hints(device_profile)
    arguments: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            _refuse(key, key, ", ".join(known))
        try:
            arguments[key] = msgspec.convert(value, hints[key])
        except msgspec.ValidationError as error:
            raise OptionError("profile.kind", key, found=repr(value), reason=str(error)) from error
    return device_profile(**arguments)


def _options(name: str, threads: int, given: Mapping[str, OptionValue]) -> dict[str, str]:
    """Complete the options that were given; onnxruntime takes texts only."""
    options = {**PRECISE.get(name, {}), **{key: _text(value) for key, value in given.items()}}
    return {**_openvino_threads(threads), **options} if options.get("device_type") == "CPU" else options


def _openvino_threads(threads: int) -> dict[str, str]:
    """OpenVINO has threads of its own, and binds them to the first cores whatever cores its process may use.

    Two stations would share one core so: one busy core made 60 ms of 13 on a machine with two.
    """
    return {"num_of_threads": str(threads), "load_config": '{"CPU": {"ENABLE_CPU_PINNING": "NO"}}'}


def _text(value: OptionValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refuse(key: str, found: object, expected: str) -> NoReturn:
    raise OptionError("profile.value", key, found=str(found), expected=expected)
