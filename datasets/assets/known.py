"""What is known of a machine when something is to be judged: by the register, and by whoever asks."""

from dataclasses import replace

from andon.datasets.assets.register import AssetRegister
from andon.models.types.vibration import Machine


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
        rpm=said.rpm or known.rpm,
    )
