"""Symbols that zxing-cpp drew, on something like a board, read back."""

import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray
from zxingcpp import BarcodeFormat

from andon.models.codes.errors import CodeError
from andon.models.codes.identity import CodeScheme
from andon.models.codes.parsing import parse_code
from andon.models.codes.reading import part_code_in, read_codes
from andon.models.types.vision import Frame

ELEMENTS = "(01)09506000134352(10)L7(21)SN4711A"
SHORT = "(01)09506000134352(21)7"
SCANNED = "010950600013435210L7\x1d21SN4711A"
INDUSTRIAL = "88.118.8/ABC123"
HEIGHT, WIDTH = 800, 960


def board(seed: int = 0) -> NDArray[np.float64]:
    """Green, with traces, pads and packages."""
    generator = np.random.default_rng(seed)
    image = np.full((HEIGHT, WIDTH, 3), (30.0, 90.0, 50.0))
    colours = [(20, 20, 20), (190, 190, 185), (200, 170, 90), (240, 240, 240)]
    for _ in range(80):
        left, top = generator.integers(0, WIDTH - 60), generator.integers(0, HEIGHT - 40)
        image[top : top + generator.integers(6, 40), left : left + generator.integers(8, 60)] = colours[
            generator.integers(4)
        ]
    for top in generator.integers(0, HEIGHT - 3, 40):
        image[top : top + 3] = image[top : top + 3] * 0.6 + np.array((16.0, 56.0, 28.0))
    return image


def symbol(text: str, kind: BarcodeFormat, scale: int, **options: Any) -> NDArray[np.uint8]:
    drawn = np.array(zxingcpp.create_barcode(text, kind, **options).to_image(scale=scale), np.uint8)
    return np.pad(drawn, 2 * scale, constant_values=255)


def stick(image: NDArray[np.float64], label: NDArray[np.uint8], left: int, top: int, degrees: float = 0) -> None:
    """Put a label on the board, turned around its centre."""
    height, width = label.shape
    side = int(np.hypot(height, width)) + 4
    assert left + side <= WIDTH, "too far right"
    assert top + side <= HEIGHT, "too far down"
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += ((side - width) / 2, (side - height) / 2)
    turned = cv2.warpAffine(label, turn, (side, side), borderValue=255)
    covered = cv2.warpAffine(np.ones_like(label), turn, (side, side)) > 0
    image[top : top + side, left : left + side][covered] = turned[covered][:, None]


def photograph(image: NDArray[np.float64], blur_px: float = 0, noise: float = 0, seed: int = 1) -> Frame:
    seen = cv2.GaussianBlur(image, (0, 0), blur_px) if blur_px else image
    return np.clip(seen + np.random.default_rng(seed).normal(0, noise, image.shape), 0, 255).astype(np.uint8)


def one(text: str, kind: BarcodeFormat, scale: int = 3, degrees: float = 0, **options: Any) -> Frame:
    image = board()
    stick(image, symbol(text, kind, scale, **options), 40, 20, degrees)
    return photograph(image, noise=4)


@pytest.mark.parametrize("kind", [BarcodeFormat.DataMatrix, BarcodeFormat.QRCode], ids=lambda kind: kind.name)
@pytest.mark.parametrize("degrees", [0, 17, 45, 90, 180, 270])
@pytest.mark.parametrize(("scale", "blur_px", "noise"), [(4, 0, 6), (4, 1, 6), (4, 1.5, 6), (6, 2, 12), (9, 2.5, 20)])
def test_a_symbol_on_a_board(kind: BarcodeFormat, degrees: int, scale: int, blur_px: float, noise: float) -> None:
    image = board(degrees)
    stick(image, symbol(ELEMENTS, kind, scale, gs1=True), 300, 150, degrees)
    frame = photograph(image, blur_px, noise)
    assert part_code_in(frame) == parse_code(ELEMENTS)
    (read,) = read_codes(frame)
    assert read.text == {"DataMatrix": "]d2", "QRCode": "]Q3"}[kind.name] + SCANNED
    assert read.symbology == kind.name


@pytest.mark.parametrize("degrees", [0, 90, 180])
def test_the_corners_turn_with_the_symbol(degrees: int) -> None:
    label = symbol(INDUSTRIAL, BarcodeFormat.QRCode, 6)
    image = board()
    stick(image, label, 300, 200, degrees)
    (read,) = read_codes(photograph(image))
    side = int(np.hypot(*label.shape)) + 4
    centre = np.array((300, 200)) + side / 2
    quiet = (2 + 4) * 6
    half = label.shape[0] / 2 - quiet
    radians = np.deg2rad(degrees)
    turn = np.array(((np.cos(radians), np.sin(radians)), (-np.sin(radians), np.cos(radians))))
    expected = [centre + turn @ (np.array(corner) * half) for corner in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    np.testing.assert_allclose(read.corners, expected, atol=7)


def test_what_the_first_search_misses_is_found_at_twice_the_size() -> None:
    label = symbol(INDUSTRIAL, BarcodeFormat.DataMatrix, 3)
    image = board()
    stick(image, label, 300, 200)
    frame = photograph(image, blur_px=0.9, noise=4)
    assert zxingcpp.read_barcodes(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)) == []
    (read,) = read_codes(frame)
    margin = (int(np.hypot(*label.shape)) + 4 - label.shape[0]) / 2 + (2 + 1) * 3
    np.testing.assert_allclose(read.corners[0], (300 + margin, 200 + margin), atol=3)
    assert part_code_in(frame) == parse_code(INDUSTRIAL)


@pytest.mark.parametrize(
    ("text", "kind", "options"),
    [
        (SHORT, BarcodeFormat.Code128, {"gs1": True}),
        (SHORT, BarcodeFormat.DataBarExp, {}),
        ("(01)09506000134352", BarcodeFormat.DataBarOmni, {}),
        (INDUSTRIAL, BarcodeFormat.QRCode, {}),
        (INDUSTRIAL, BarcodeFormat.DataMatrix, {}),
        ("https://id.gs1.org/01/09506000134352/21/SN4711A", BarcodeFormat.QRCode, {}),
        ("HDL:20.1000/7", BarcodeFormat.MicroQRCode, {}),
        ("序列号-7", BarcodeFormat.QRCode, {}),
        ("SN-0007", BarcodeFormat.DataMatrix, {}),
    ],
)
def test_what_was_drawn_is_what_is_parsed(text: str, kind: BarcodeFormat, options: dict[str, bool]) -> None:
    assert part_code_in(one(text, kind, **options)) == parse_code(text)


def test_an_envelope_is_opened() -> None:
    assert (
        part_code_in(one("[)>\x1e06\x1d25SVAA0881\x1e\x04", BarcodeFormat.DataMatrix)).scheme is CodeScheme.INDUSTRIAL
    )


def test_light_on_dark() -> None:
    assert part_code_in(255 - one(INDUSTRIAL, BarcodeFormat.DataMatrix)) == parse_code(INDUSTRIAL)


@pytest.mark.parametrize("strides", [(1, 2), (-1, 1), (2, -1)])
def test_a_frame_may_be_a_view(strides: tuple[int, int]) -> None:
    frame = one(INDUSTRIAL, BarcodeFormat.QRCode)
    rows, columns = strides
    spread = np.repeat(np.repeat(frame, abs(rows), axis=0), abs(columns), axis=1)[
        :: np.sign(rows), :: np.sign(columns)
    ].copy()
    spread.flags.writeable = False
    view = spread[::rows, ::columns]
    np.testing.assert_array_equal(view, frame)
    assert part_code_in(view) == parse_code(INDUSTRIAL)


def test_colours_are_weighted_as_the_eye_does() -> None:
    """Red and blue are told apart by their luminance; taken for each other they are alike."""
    drawn = symbol(INDUSTRIAL, BarcodeFormat.QRCode, 6) > 127
    red, blue = (200, 60, 60), (20, 30, 188)
    weights = np.array((0.299, 0.587, 0.114))
    assert red @ weights - blue @ weights > 30
    assert abs(red @ weights[::-1] - blue @ weights[::-1]) < 2
    frame = np.where(drawn[..., None], red, blue) + np.random.default_rng(0).normal(0, 4, (*drawn.shape, 1))
    assert part_code_in(frame.astype(np.uint8)) == parse_code(INDUSTRIAL)


def test_one_code_in_two_symbols_is_one() -> None:
    image = board()
    stick(image, symbol(ELEMENTS, BarcodeFormat.DataMatrix, 4, gs1=True), 60, 60)
    stick(image, symbol("https://id.gs1.org/01/09506000134352/21/SN4711A", BarcodeFormat.QRCode, 4), 450, 300)
    frame = photograph(image)
    assert len(read_codes(frame)) == 2
    assert part_code_in(frame).canonical == parse_code(ELEMENTS).canonical


def test_several_codes_are_refused() -> None:
    image = board()
    stick(image, symbol(INDUSTRIAL, BarcodeFormat.DataMatrix, 5), 60, 60)
    stick(image, symbol("SN-2", BarcodeFormat.QRCode, 5), 450, 300)
    with pytest.raises(CodeError) as caught:
        part_code_in(photograph(image))
    assert (caught.value.code, caught.value.params["found"]) == ("code.several_seen", "88.118.8/ABC123, SN-2")


@pytest.mark.parametrize(
    "frame", [photograph(board()), np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)]
)
def test_none_is_refused(frame: Frame) -> None:
    assert read_codes(frame) == ()
    with pytest.raises(CodeError) as caught:
        part_code_in(frame)
    assert caught.value.code == "code.none_seen"


def test_linear_labels_that_are_not_gs1_are_ignored() -> None:
    image = board()
    stick(image, symbol("MAC0011223344", BarcodeFormat.Code128, 3), 60, 100)
    stick(image, symbol(INDUSTRIAL, BarcodeFormat.DataMatrix, 5), 700, 60)
    frame = photograph(image)
    assert len(zxingcpp.read_barcodes(frame)) == 2
    assert part_code_in(frame) == parse_code(INDUSTRIAL)


@pytest.mark.parametrize(
    ("text", "code"), [("(01)09506000134353(21)1", "code.check_digit"), (b"\xff\x00\x01", "code.hidden")]
)
def test_a_damaged_code_is_not_passed_over(text: Any, code: str) -> None:
    image = board()
    stick(image, symbol(text, BarcodeFormat.QRCode, 5), 60, 60)
    stick(image, symbol("SN-2", BarcodeFormat.QRCode, 5), 450, 300)
    with pytest.raises(CodeError) as caught:
        part_code_in(photograph(image))
    assert caught.value.code == code


def test_parsing_does_without_zxing() -> None:
    program = (
        "import sys; sys.modules['zxingcpp'] = None\n"
        "from andon.models.codes.parsing import parse_code; parse_code('SN-1')\n"
        "try: import andon.models.codes.reading\n"
        "except ModuleNotFoundError as error: print(error.name)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "zxingcpp"
