"""What is known of a machine when something is to be judged: by the register, and by whoever asks."""

from dataclasses import replace

from andon.datasets.assets.register import AssetRegister
from andon.models.types.vibration import Bearing, Machine
from andon.models.vibration.bearings import parse_bearing
from andon.models.vibration.fault_orders import parse_orders
from andon.models.vibration.zones import parse_machine_class


def said_machine(
    bearing: str | None, orders: str | None, machine_class: str | None, source: str, subject: str
) -> Machine:
    """Read what whoever asks says of a machine; orders are left aside where a bearing is named.

    Parameters
    ----------
    source
        Who says so.
    subject
        How an error names the class.

    Raises
    ------
    AssetError
        The bearing, the orders or the class is not known.
    """
    bearings: tuple[Bearing, ...] = ()
    if bearing:
        bearings = (parse_bearing(bearing, source=source),)
    elif orders:
        bearings = (Bearing("", parse_orders(orders), source),)
    return Machine(
        bearings=bearings, machine_class=parse_machine_class(machine_class, subject) if machine_class else None
    )


def known_machine(register: AssetRegister, asset: str) -> Machine:
    """Look a machine up; one that the register does not know is known by its name alone.

    Raises
    ------
    AssetError
        Its document is damaged.
    """
    return register.get(asset) if asset and register.knows(asset) else Machine(asset)


def completed(said: Machine, known: Machine) -> Machine:
    """What is known of a machine, except where ``said`` says otherwise."""
    return replace(
        known,
        bearings=said.bearings or known.bearings,
        machine_class=said.machine_class or known.machine_class,
    )
