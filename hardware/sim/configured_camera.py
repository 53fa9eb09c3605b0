"""The simulated camera as a configuration names it."""

from functools import cache
from typing import Annotated

from msgspec import Meta

from andon.hardware.sim.simulated_camera import SimulatedCamera, SimulatedDevice

_device = cache(SimulatedDevice)
"""Equal arguments are the same device, as equal serial numbers are: what is at the other end of the cable stays when a camera is opened anew."""


def simulated_camera(
    *, images: str = "synthetic:pcb", seed: Annotated[int, Meta(ge=0)] = 0, frame_s: float = 0.0
) -> SimulatedCamera:
    """Connect a simulated camera; the arguments are those of ``SimulatedDevice``."""
    return SimulatedCamera(_device(images=images, seed=seed, frame_s=frame_s))
