"""Say of stations whose camera is lost that they can tell nothing now."""

from collections.abc import Callable, Sequence

from andon.hardware.edge.stations.station import Station
from andon.models.types.line import LineFault


class CameraLosses:
    """Looks at stations, and tells once for as long as a camera is lost.

    Parameters
    ----------
    lost
        Told of the station's name.
    """

    def __init__(self, stations: Sequence[Station], lost: Callable[[str], None]) -> None:
        self._stations = stations
        self._tell = lost
        self._lost: set[str] = set()

    def look(self) -> None:
        """Look at all of them."""
        lost = {each.parts.name for each in self._stations if each.state.fault is LineFault.CAMERA}
        for name in lost - self._lost:
            self._tell(name)
        self._lost = lost
