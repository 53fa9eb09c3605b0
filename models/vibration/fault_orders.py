"""At which multiples of the shaft's speed a damaged rolling bearing shows."""

import math
import unicodedata
from dataclasses import dataclass

from andon.models.types.errors import AssetError
from andon.models.types.vibration import BearingOrders

ORDER_NAMES = ("bpfo", "bpfi", "bsf", "ftf")
GEOMETRY_NAMES = ("n", "d", "D", "angle")


@dataclass(frozen=True, slots=True)
class BearingGeometry:
    """What a rolling bearing looks like inside.

    Parameters
    ----------
    n_elements
        Rolling elements in one row.
    element_d_mm
        Diameter of a rolling element; the mean one of a tapered roller.
    pitch_d_mm
        Diameter of the circle through their centres.
    contact_angle_deg
        0 for deep-groove ball and cylindrical roller bearings, 90 for thrust bearings.

    Raises
    ------
    AssetError
        No bearing can be like that: the elements do not fit on the circle, or the angle is not from 0 to 90 degrees.
    """

    n_elements: int
    element_d_mm: float
    pitch_d_mm: float
    contact_angle_deg: float = 0.0

    def __post_init__(self) -> None:
        if self.n_elements < 3 or not 0 < self.element_d_mm < math.inf:
            raise AssetError("asset.geometry_elements", str(self), n=self.n_elements, found=f"{self.element_d_mm:g}")
        # Neighbours touch where a chord of the pitch circle is as long as an element is thick.
        least_mm = self.element_d_mm / math.sin(math.pi / self.n_elements)
        if not least_mm <= self.pitch_d_mm < math.inf:
            raise AssetError("asset.geometry_pitch", str(self), found=f"{self.pitch_d_mm:g}", least=f"{least_mm:.4g}")
        if not 0 <= self.contact_angle_deg <= 90:
            raise AssetError("asset.geometry_angle", str(self), found=f"{self.contact_angle_deg:g}")

    def __str__(self) -> str:
        return f"{self.n_elements},{self.element_d_mm:g},{self.pitch_d_mm:g},{self.contact_angle_deg:g}"


def fault_orders(geometry: BearingGeometry) -> BearingOrders:
    """Compute the fault orders of a bearing whose inner ring turns, its elements rolling without slip.

    With r = (d / D) cos(angle): outer race n (1 - r) / 2, inner race n (1 + r) / 2, rolling element (D / 2 d) (1 - r^2),
    cage (1 - r) / 2. A damaged element touches both races in each of its turns and shows at twice its order.

    Returns
    -------
    BearingOrders
        In multiples of the shaft's speed.

    References
    ----------
    Randall and Antoni, Mechanical Systems and Signal Processing 25 (2011) 485-520, equations 1 to 4.

    Examples
    --------
    >>> orders = fault_orders(BearingGeometry(9, 7.94, 39.04))
    >>> [round(order, 4) for order in (orders.bpfo, orders.bpfi, orders.bsf, orders.ftf)]
    [3.5848, 5.4152, 2.3567, 0.3983]
    """
    ratio = geometry.element_d_mm / geometry.pitch_d_mm
    r = ratio * math.cos(math.radians(geometry.contact_angle_deg))
    return BearingOrders(
        bpfo=geometry.n_elements * (1 - r) / 2,
        bpfi=geometry.n_elements * (1 + r) / 2,
        bsf=(1 - r * r) / (2 * ratio),
        ftf=(1 - r) / 2,
    )


def parse_orders(text: str) -> BearingOrders:
    """Read fault orders as ``bpfo,bpfi,bsf,ftf``; with ``;`` between them, a comma is a decimal comma.

    Raises
    ------
    AssetError
        They are not four numbers above zero, the outer race's is not below the inner race's, or the cage's is not
        below 1: frequencies in hertz, or another sequence.

    Examples
    --------
    >>> parse_orders("3.245,4.755,2.555,.406")
    BearingOrders(bpfo=3.245, bpfi=4.755, bsf=2.555, ftf=0.406)
    """
    numbers = parse_numbers(text)
    if numbers is None or len(numbers) != len(ORDER_NAMES) or not all(0 < number < math.inf for number in numbers):
        raise AssetError("asset.orders_form", text)
    orders = BearingOrders(*numbers)
    if orders.bpfo >= orders.bpfi:
        raise AssetError("asset.orders_races", text, bpfo=f"{orders.bpfo:g}", bpfi=f"{orders.bpfi:g}")
    if orders.ftf >= 1:
        raise AssetError("asset.orders_cage", text, found=f"{orders.ftf:g}")
    return orders


def parse_geometry(text: str) -> BearingGeometry:
    """Read a geometry as ``n,d,D,angle`` in mm and degrees; with ``;`` between them, a comma is a decimal comma.

    Raises
    ------
    AssetError
        It is not that, or no bearing can be like that.

    Examples
    --------
    >>> parse_geometry("9,7.94,39.04,0")
    BearingGeometry(n_elements=9, element_d_mm=7.94, pitch_d_mm=39.04, contact_angle_deg=0.0)
    """
    numbers = parse_numbers(text)
    if numbers is None or len(numbers) != len(GEOMETRY_NAMES) or not numbers[0].is_integer():
        raise AssetError("asset.geometry_form", text)
    return BearingGeometry(int(numbers[0]), *numbers[1:])


def parse_numbers(text: str) -> list[float] | None:
    """Read numbers with ``,`` or ``;`` between them, full-width forms too; None where it is something else.

    With ``;`` between them, a comma is a decimal comma.

    >>> parse_numbers("3,5; 5,4")
    [3.5, 5.4]
    >>> parse_numbers("6205-2RS") is None
    True
    """
    narrow = unicodedata.normalize("NFKC", text)
    parts = narrow.replace(",", ".").split(";") if ";" in narrow else narrow.split(",")
    try:
        return [float(part) for part in parts]
    except ValueError:
        return None
