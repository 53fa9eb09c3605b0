"""Requests and replies of the Open Inference Protocol, with tensors as JSON or as raw bytes.

The binary form puts the tensors, little-endian and in order, behind the JSON; strings carry their length before them as
four bytes. Defined by the protocol's version 2 (KServe) and Triton's binary tensor data extension.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from numpy.typing import NDArray

from andon.serving.engine.errors import MediaTypeError, RequestError, TooLargeError

UINT8, FP32, FP64, BYTES = "UINT8", "FP32", "FP64", "BYTES"

_WINDOW_BITS = {"gzip": 31, "deflate": 15}

_Side = Annotated[int, Meta(ge=0, le=2**31)]
_Value = Annotated[int, Meta(ge=0, le=255)]
# No list may be empty: a body of `[[],[],...` would grow tenfold in memory before its shape could be compared.
_Pixel = Annotated[list[_Value], Meta(min_length=1)]
_Row = Annotated[list[_Pixel], Meta(min_length=1)]
_Image = Annotated[list[_Row], Meta(min_length=1)]
_Floats = Annotated[list[float], Meta(min_length=1)]
_FLOAT_BYTES = 8

Number = TypeVar("Number", np.uint8, np.float64)


@dataclass(frozen=True, slots=True)
class _Layout(Generic[Number]):
    """How JSON holds a batch: its elements in a row, or nested."""

    flat: Any
    nested: Any
    dtype: type[Number]


_IMAGES = _Layout(list[_Value], list[_Image], np.uint8)
_ROWS = _Layout(list[float], list[_Floats], np.float64)


class InputParameters(Struct, frozen=True):
    """Where an input's data is: so many bytes behind the JSON, or in memory that is shared, which is refused."""

    binary_data_size: Annotated[int, Meta(ge=0)] | None = None
    shared_memory_region: str | None = None


class InputHeader(Struct, frozen=True):
    """One input as the JSON describes it."""

    name: str
    datatype: str
    shape: Annotated[list[_Side], Meta(max_length=8)]
    parameters: InputParameters = InputParameters()
    data: Raw | UnsetType = UNSET


class OutputParameters(Struct, frozen=True):
    """How an output is wanted; None leaves it to the request.

    The other two are extensions that are not offered: who asks for them would read another answer than it expects.
    """

    binary_data: bool | None = None
    classification: int | None = None
    shared_memory_region: str | None = None


class OutputHeader(Struct, frozen=True):
    """One output that is asked for."""

    name: str
    parameters: OutputParameters = OutputParameters()


class RequestParameters(Struct, frozen=True):
    """How outputs are wanted that do not say."""

    binary_data_output: bool = False


class RequestHeader(Struct, frozen=True):
    """The JSON of a request. Members that are not known are passed over, as the protocol has it."""

    inputs: list[InputHeader]
    id: str | None = None
    outputs: list[OutputHeader] = []
    parameters: RequestParameters = RequestParameters()

    def wants_binary(self, output: OutputHeader) -> bool:
        """Whether ``output`` goes behind the JSON."""
        binary = output.parameters.binary_data
        return self.parameters.binary_data_output if binary is None else binary


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its JSON, and for each input the bytes behind it, None where its data is in the JSON."""

    header: RequestHeader
    binaries: tuple[memoryview | None, ...]

    def has(self, name: str) -> bool:
        """Whether there is an input of that name."""
        return any(each.name == name for each in self.header.inputs)

    def shape(self, name: str) -> Sequence[int]:
        """The shape that the input ``name`` is said to have."""
        return self._input(name)[0].shape

    def data(self, name: str, datatype: str) -> tuple[InputHeader, memoryview | None]:
        """Find an input of ``datatype``: how it is described, and the bytes behind the JSON or None.

        Raises
        ------
        RequestError
            There is none, or it is of another type, or has its data in neither or both of JSON and bytes.
        """
        header, binary = self._input(name)
        if header.datatype != datatype:
            raise RequestError("serving.datatype", name, found=header.datatype, expected=datatype)
        if (binary is None) == (header.data is UNSET):
            raise RequestError("serving.tensor_data", name)
        return header, binary

    def _input(self, name: str) -> tuple[InputHeader, memoryview | None]:
        for header, binary in zip(self.header.inputs, self.binaries, strict=True):
            if header.name == name:
                return header, binary
        found = ", ".join(header.name for header in self.header.inputs) or "-"
        raise RequestError("serving.inputs", "inputs", found=found, expected=name)


Values = NDArray[np.float32] | NDArray[np.float64] | Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One output: float32 or float64 of any shape, or a list of strings."""

    name: str
    values: Values

    @property
    def datatype(self) -> str:
        """Its type as the protocol names it."""
        if not isinstance(self.values, np.ndarray):
            return BYTES
        return FP32 if self.values.dtype == np.float32 else FP64

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents."""
        return self.values.shape if isinstance(self.values, np.ndarray) else (len(self.values),)

    def binary(self) -> bytes:
        """Its elements in the binary form."""
        if isinstance(self.values, np.ndarray):
            return self.values.astype(self.values.dtype.newbyteorder("<")).tobytes()
        return b"".join(_prefixed(value.encode()) for value in self.values)

    def flat(self) -> list[Any]:
        """Its elements for JSON, row by row."""
        return self.values.ravel().tolist() if isinstance(self.values, np.ndarray) else list(self.values)


@dataclass(frozen=True, slots=True)
class Reply:
    """An encoded reply; ``header_length`` counts the bytes of its JSON, and is None where there is nothing behind them."""

    body: bytes
    header_length: int | None


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo the ``Content-Encoding`` of a body, to ``limit`` bytes at most.

    Raises
    ------
    MediaTypeError
        It is neither gzip nor deflate.
    TooLargeError
        There is more in it.
    RequestError
        It is damaged or cut off.
    """
    if encoding in ("", "identity"):
        return body
    if encoding not in _WINDOW_BITS:
        raise MediaTypeError("serving.content_encoding", "Content-Encoding", found=encoding)
    expander = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        expanded = expander.decompress(body, limit + 1)
    except zlib.error as error:
        raise RequestError("serving.compressed", "body", reason=str(error)) from error
    if len(expanded) > limit:
        raise TooLargeError("serving.too_large", "body", limit=limit >> 20)
    if not expander.eof or expander.unused_data:
        raise RequestError("serving.compressed", "body", reason="its end is not where it should be")
    return expanded


def decode_request(body: bytes, header_length: int | None) -> Request:
    """Take a request apart.

    Parameters
    ----------
    header_length
        How many bytes of ``body`` are JSON; None for all.

    Raises
    ------
    RequestError
        The JSON is not as expected, what follows it has not the length that it says, or an extension is asked for that
        is not offered.
    """
    length = len(body) if header_length is None else header_length
    if length > len(body):
        raise RequestError(
            "serving.header_length", "Inference-Header-Content-Length", found=length, expected=f"at most {len(body)}"
        )
    header = _decode(body[:length], RequestHeader, "body")
    _check_offered(header)
    return Request(header, _cut(memoryview(body)[length:], header.inputs))


def read_uint8(request: Request, name: str) -> NDArray[np.uint8]:
    """Read an input of UINT8.

    Returns
    -------
    NDArray
        Of the shape that the request says; not writable where it came as bytes.

    Raises
    ------
    RequestError
        It is of another type, or has no data, or other values or another count of them than its shape says.
    """
    header, binary = request.data(name, UINT8)
    flat = np.frombuffer(binary, np.uint8) if binary is not None else _json_array(header, _IMAGES)
    _check_count(header, flat.size)
    return flat.reshape(header.shape)


def read_floats(request: Request, name: str) -> NDArray[np.float64]:
    """Read an input of FP64 with two dimensions; raises as ``read_uint8`` does."""
    header, binary = request.data(name, FP64)
    if binary is not None and len(binary) % _FLOAT_BYTES:
        raise RequestError("serving.element_count", name, found=len(binary) / _FLOAT_BYTES, expected=str(header.shape))
    flat = _json_array(header, _ROWS) if binary is None else np.frombuffer(binary, "<f8").astype(np.float64)
    _check_count(header, flat.size)
    return flat.reshape(header.shape)


def read_strings(request: Request, name: str) -> list[str]:
    """Read an input of BYTES as text, flat; raises as ``read_uint8`` does."""
    header, binary = request.data(name, BYTES)
    values = _prefixed_strings(binary, name) if binary is not None else _decode(_json(header), list[str], name)
    _check_count(header, len(values))
    return values


def encode_reply(head: Mapping[str, Any], outputs: Sequence[tuple[Tensor, bool]]) -> Reply:
    """Put a reply together: ``head`` and the outputs, each with whether it goes behind the JSON."""
    described, tail = [], []
    for tensor, is_binary in outputs:
        entry = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if is_binary:
            tail.append(tensor.binary())
            described.append({**entry, "parameters": {"binary_data_size": len(tail[-1])}})
        else:
            described.append({**entry, "data": tensor.flat()})
    header = msgspec.json.encode({**head, "outputs": described})
    return Reply(b"".join((header, *tail)), len(header) if tail else None)


def _decode(encoded: bytes | Raw, kind: Any, subject: str) -> Any:
    try:
        return msgspec.json.decode(encoded, type=kind)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise RequestError("serving.json", subject, reason=str(error)) from error


def _check_offered(header: RequestHeader) -> None:
    asked = [(each.name, "shared memory") for each in header.inputs if each.parameters.shared_memory_region is not None]
    for output in header.outputs:
        if output.parameters.shared_memory_region is not None:
            asked.append((output.name, "shared memory"))
        if output.parameters.classification:
            asked.append((output.name, "classification"))
    for name, extension in asked:
        raise RequestError("scoring.unsupported", name, found=extension)


def _cut(tail: memoryview, inputs: Sequence[InputHeader]) -> tuple[memoryview | None, ...]:
    sizes = [each.parameters.binary_data_size for each in inputs]
    if (expected := sum(filter(None, sizes))) != len(tail):
        raise RequestError("serving.body_length", "body", found=len(tail), expected=expected)
    parts: list[memoryview | None] = []
    for size in sizes:
        parts.append(None if size is None else tail[:size])
        tail = tail[size or 0 :]
    return tuple(parts)


def _json_array(header: InputHeader, layout: _Layout[Number]) -> NDArray[Number]:
    """Read data that is flat, or nested as deeply as a batch is."""
    data = _json(header)
    is_nested = data[1:].lstrip()[:1] == b"["
    values = _decode(data, layout.nested if is_nested else layout.flat, header.name)
    try:
        array = np.array(values, layout.dtype)
    except ValueError as error:
        raise RequestError("serving.json", header.name, reason="rows of unequal length") from error
    if is_nested and list(array.shape) != header.shape:
        raise RequestError("serving.element_count", header.name, found=str(array.shape), expected=str(header.shape))
    return array.ravel()


def _json(header: InputHeader) -> bytes:
    return bytes(header.data) if isinstance(header.data, Raw) else b""


def _check_count(header: InputHeader, found: int) -> None:
    if found != math.prod(header.shape):
        raise RequestError("serving.element_count", header.name, found=found, expected=str(header.shape))


def _prefixed_strings(binary: memoryview, name: str) -> list[str]:
    """Undo ``_prefixed`` for one string after the other."""
    values: list[str] = []
    while binary:
        size = 4 + int.from_bytes(binary[:4], "little")
        try:
            values.append(bytes(binary[4:size]).decode())
        except UnicodeDecodeError as error:
            raise RequestError("serving.string", name) from error
        if size > len(binary):
            raise RequestError("serving.string", name)
        binary = binary[size:]
    return values


def _prefixed(encoded: bytes) -> bytes:
    return len(encoded).to_bytes(4, "little") + encoded
