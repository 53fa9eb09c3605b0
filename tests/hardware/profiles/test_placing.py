"""Which device a bundle runs on: tried with the onnxruntime that is installed, and with devices that stand-ins play."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tests.motors import taught_motors

from andon.hardware.profiles.placing import Placed, Runtime, installed_runtime, place_bundle
from andon.hardware.profiles.profile import DEVICES, PROVIDERS, device_profile
from andon.models.bundle.bundle import MODEL, Bundle, VisionBundle
from andon.models.bundle.runtime import LoadedHealth, LoadedInspector
from andon.models.graphs.placement import CPU_PROVIDER, Placement, open_session
from andon.models.types.errors import BundleError
from andon.models.types.vision import Frame

DEVICES_BUT_CPU = sorted(DEVICES.keys() - {"cpu"})
ALL = tuple(PROVIDERS.values())


@dataclass(frozen=True)
class Part:
    """As onnxruntime tells what a provider has taken."""

    ep_name: str
    nodes: int

    def get_nodes(self) -> list[int]:
        return list(range(self.nodes))


@dataclass(frozen=True)
class Device:
    """A device that stands in for a real one: the CPU computes, and its results are changed by ``factor``."""

    session: Any
    provider: str
    nodes: int = 13
    factor: float = 1.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def get_providers(self) -> list[str]:
        return [self.provider, CPU_PROVIDER]

    def get_provider_graph_assignment_info(self) -> list[Part]:
        return [
            Part(name, count) for name, count in ((self.provider, self.nodes), (CPU_PROVIDER, 13 - self.nodes)) if count
        ]

    def run(self, *arguments: Any) -> list[Any]:
        return [each * np.asarray(self.factor, each.dtype) for each in self.session.run(*arguments)]


@dataclass
class Machine:
    """A machine with some devices: by provider, what makes a session of the CPU's."""

    devices: dict[str, Callable[[Any, str], Any]]
    asked: list[Placement] = field(default_factory=list)

    def runtime(self) -> Runtime:
        return Runtime((*self.devices, CPU_PROVIDER), self.open)

    def open(self, model: bytes, placement: Placement) -> Any:
        self.asked.append(placement)
        name = placement.providers[0].name
        session = open_session(model)
        return session if name == CPU_PROVIDER else self.devices[name](session, name)


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


def place(bundle: VisionBundle, device: str, machine: Machine) -> Placed:
    return place_bundle(bundle, "plates", device_profile(device), machine.runtime())


def codes(placed: Placed) -> list[tuple[str, str]]:
    return [(each.provider, each.error.code) for each in placed.refusals]


@pytest.mark.parametrize("device", DEVICES_BUT_CPU)
def test_a_bundle_runs_on_the_device_that_was_asked_for(device: str, tiny_bundle: VisionBundle) -> None:
    machine = Machine(dict.fromkeys(ALL, Device))
    placed = place(tiny_bundle, device, machine)
    assert (placed.provider, placed.refusals) == (PROVIDERS[device], ())
    assert placed.nodes == {PROVIDERS[device]: 13}
    assert placed.parity.holds
    assert machine.asked == [device_profile(device).placements[0]]


@pytest.mark.parametrize("device", DEVICES_BUT_CPU)
def test_a_device_that_the_installed_onnxruntime_is_built_without_is_told_and_the_cpu_does_it(
    device: str, tiny_bundle: VisionBundle, draw_plate: Callable[..., Frame]
) -> None:
    if PROVIDERS[device] in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime is built with it")
    placed = place_bundle(tiny_bundle, "plates", device_profile(device), installed_runtime())
    assert placed.provider == CPU_PROVIDER
    assert codes(placed) == [(PROVIDERS[name], "profile.absent") for name in DEVICES[device][:-1]]
    assert CPU_PROVIDER in str(placed.refusals[0].error.params["found"])
    assert isinstance(placed.loaded, LoadedInspector)
    assert placed.loaded.inspector.inspect(draw_plate(3)).verdict == "OK"


@pytest.mark.parametrize(
    ("device", "code"),
    [
        (failing(RuntimeError("Invalid option: nonsense")), "profile.refused"),
        (failing(onnxruntime.capi.onnxruntime_pybind11_state.EPFail("no memory on the device")), "bundle.graph"),
        (failing(onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented("ArgMax")), "bundle.graph"),
        (lambda session, name: session, "profile.not_started"),
        (lambda session, name: Device(session, name, nodes=0), "profile.no_nodes"),
        (lambda session, name: Device(session, name, factor=1.001), "bundle.parity"),
        (lambda session, name: Device(session, name, factor=np.nan), "bundle.parity"),
    ],
    ids=["option", "memory", "operator", "no driver", "no device", "imprecise", "not a number"],
)
def test_a_device_that_cannot_be_trusted_is_refused_with_the_reason(
    device: Callable[[Any, str], Any], code: str, tiny_bundle: VisionBundle
) -> None:
    placed = place(tiny_bundle, "qnn", Machine({PROVIDERS["qnn"]: device}))
    assert codes(placed) == [(PROVIDERS["qnn"], code)]
    assert (placed.provider, placed.parity.holds) == (CPU_PROVIDER, True)


def test_a_device_that_takes_a_part_of_the_graph_is_used_and_the_part_told(tiny_bundle: VisionBundle) -> None:
    machine = Machine({PROVIDERS["cann"]: lambda session, name: Device(session, name, nodes=4)})
    assert place(tiny_bundle, "cann", machine).nodes == {PROVIDERS["cann"]: 4, CPU_PROVIDER: 9}


def test_the_next_of_the_device_s_providers_is_tried_before_the_cpu(tiny_bundle: VisionBundle) -> None:
    machine = Machine({PROVIDERS["tensorrt"]: failing(RuntimeError("no engine")), PROVIDERS["cuda"]: Device})
    placed = place(tiny_bundle, "tensorrt", machine)
    assert placed.provider == PROVIDERS["cuda"]
    assert codes(placed) == [(PROVIDERS["tensorrt"], "profile.refused")]


def test_a_bundle_that_not_even_the_cpu_can_use_is_an_error(tiny_bundle: VisionBundle) -> None:
    broken = Bundle(tiny_bundle.manifest, {**tiny_bundle.files, MODEL: b"no graph"})
    with pytest.raises(BundleError, match=r"bundle\.graph"):
        place(broken, "openvino", Machine({PROVIDERS["openvino"]: Device}))


def test_a_bundle_whose_goldens_no_device_reproduces_is_an_error(tiny_bundle: VisionBundle) -> None:
    def imprecise(model: bytes, placement: Placement) -> Any:
        return Device(open_session(model), placement.providers[0].name, factor=1.01)

    with pytest.raises(BundleError, match=r"bundle\.parity.*subject=plates, found=1\..*e-02, expected=1e-04"):
        place_bundle(tiny_bundle, "plates", device_profile("cuda"), Runtime(ALL, imprecise))


def test_a_device_that_fails_later_fails_the_inspection_and_nothing_else_takes_over(
    tiny_bundle: VisionBundle, draw_plate: Callable[..., Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = place(tiny_bundle, "cuda", Machine({PROVIDERS["cuda"]: Device}))
    assert placed.provider == PROVIDERS["cuda"]
    assert isinstance(placed.loaded, LoadedInspector)
    monkeypatch.setattr(
        Device, "run", failing(onnxruntime.capi.onnxruntime_pybind11_state.EPFail("the device is gone"))
    )
    with pytest.raises(BundleError, match=r"bundle\.graph.*the device is gone"):
        placed.loaded.inspector.inspect(draw_plate(3))


def test_a_health_model_is_placed_as_well() -> None:
    machine = Machine({PROVIDERS["cuda"]: Device})
    placed = place_bundle(taught_motors(), "motors", device_profile("cuda"), machine.runtime())
    assert isinstance(placed.loaded, LoadedHealth)
    assert (placed.provider, placed.parity.holds) == (PROVIDERS["cuda"], True)
