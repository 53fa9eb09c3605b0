"""What is known of a machine, for other programs."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from andon.models.types.vibration import Bearing, BearingOrders, Machine, MachineClass
from andon.models.vibration.zones import limits_of, machine_class_name

SECONDS_A_MINUTE = 60


def machine_document(machine: Machine) -> dict[str, Any]:
    """Describe a machine with what follows from it: fault frequencies at its nameplate speed and the limits of its class.

    Frequencies and limits are None where the speed or the class is not known.

    >>> machine_document(Machine("P-1", rpm=1500, blades=6, line_hz=50))["frequencies_hz"]
    {'shaft': 25.0, 'gear_mesh': [], 'blade_pass': 150.0, 'electrical': 100}
    """
    shaft_hz = None if machine.rpm is None else machine.rpm / SECONDS_A_MINUTE
    return {
        **asdict(machine),
        "machine_class": None if machine.machine_class is None else machine_class_name(machine.machine_class),
        "zone_limits": None if machine.machine_class is None else _limits(machine.machine_class),
        "bearings": [_bearing(bearing, shaft_hz) for bearing in machine.bearings],
        "frequencies_hz": _frequencies(machine, shaft_hz),
    }


def bearing_frequencies(orders: BearingOrders, shaft_hz: float) -> dict[str, float]:
    """Return where each fault of a bearing shows, in Hz: one of a rolling element at twice its order."""
    in_orders = {
        "outer_race": orders.bpfo,
        "inner_race": orders.bpfi,
        "rolling_element": 2 * orders.bsf,
        "cage": orders.ftf,
    }
    return {fault: order * shaft_hz for fault, order in in_orders.items()}


def _bearing(bearing: Bearing, shaft_hz: float | None) -> dict[str, Any]:
    frequencies = None if shaft_hz is None else bearing_frequencies(bearing.orders, shaft_hz)
    return {**asdict(bearing), "frequencies_hz": frequencies}


def _frequencies(machine: Machine, shaft_hz: float | None) -> Mapping[str, Any]:
    return {
        "shaft": shaft_hz,
        "gear_mesh": None if shaft_hz is None else [count * shaft_hz for count in machine.teeth],
        "blade_pass": None if shaft_hz is None or machine.blades is None else machine.blades * shaft_hz,
        "electrical": None if machine.line_hz is None else 2 * machine.line_hz,
    }


def _limits(machine_class: MachineClass) -> dict[str, Any]:
    return asdict(limits_of(machine_class))
