"""The simulated camera as a configuration names it."""

from andon.hardware.sim.simulated_camera import SimulatedCamera, SimulatedDevice


def simulated_camera(*, images: str = "synthetic:pcb", seed: int = 0, frame_s: float = 0.0) -> SimulatedCamera:
    """Connect a simulated camera; the arguments are those of ``SimulatedDevice``."""
    return SimulatedCamera(SimulatedDevice(images=images, seed=seed, frame_s=frame_s))
