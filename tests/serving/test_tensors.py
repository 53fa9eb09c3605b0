import gzip
import zlib
from typing import Any

import msgspec
import numpy as np
import pytest
import tritonclient.http as triton
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from andon.serving.engine.errors import MediaTypeError, RequestError, TooLargeError
from andon.serving.engine.tensors import (
    Tensor,
    decode_request,
    decompress,
    encode_reply,
    read_floats,
    read_strings,
    read_uint8,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
BATCHES = arrays(np.uint8, array_shapes(min_dims=4, max_dims=4, max_side=5))
SHAPES = array_shapes(max_dims=3, max_side=5)
FLOATS = arrays(np.float32, SHAPES, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)) | arrays(
    np.float64, SHAPES, elements=FINITE
)
STRINGS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5)


def body(**changes: object) -> bytes:
    tensor = {"name": "image", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [1, 2, 3], **changes}
    return msgspec.json.encode({"inputs": [tensor]})


@given(BATCHES, st.booleans())
def test_a_batch_as_triton_writes_it_is_read_bit_for_bit(batch: NDArray[np.uint8], binary: bool) -> None:
    tensor = triton.InferInput("image", list(batch.shape), "UINT8")
    tensor.set_data_from_numpy(batch, binary_data=binary)
    encoded, header_length = triton.InferenceServerClient.generate_request_body([tensor], request_id="7")
    request = decode_request(encoded, header_length)
    assert request.header.id == "7"
    np.testing.assert_array_equal(read_uint8(request, "image"), batch, strict=True)


@given(BATCHES)
def test_nested_json_is_read(batch: NDArray[np.uint8]) -> None:
    request = decode_request(body(shape=batch.shape, data=batch.tolist()), None)
    np.testing.assert_array_equal(read_uint8(request, "image"), batch, strict=True)


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=FINITE), STRINGS, st.booleans())
def test_numbers_and_strings_as_triton_writes_them_are_read(
    floats: NDArray[np.float64], strings: list[str], binary: bool
) -> None:
    rows = triton.InferInput("rows", list(floats.shape), "FP64")
    rows.set_data_from_numpy(floats, binary_data=binary)
    names = triton.InferInput("names", [len(strings)], "BYTES")
    names.set_data_from_numpy(np.array(strings, object), binary_data=binary)
    request = decode_request(*triton.InferenceServerClient.generate_request_body([rows, names]))
    np.testing.assert_array_equal(read_floats(request, "rows"), floats, strict=True)
    assert read_strings(request, "names") == strings


@given(st.binary(max_size=40), st.integers(1, 3))
def test_any_bytes_are_read_as_numbers_or_strings_or_refused(tail: bytes, count: int) -> None:
    for datatype, read in (("FP64", read_floats), ("BYTES", read_strings)):
        tensor = {
            "name": "i",
            "datatype": datatype,
            "shape": [count],
            "parameters": {"binary_data_size": len(tail)},
        }
        header = msgspec.json.encode({"inputs": [tensor]})
        request = decode_request(header + tail, len(header))
        try:
            assert len(read(request, "i")) == count
        except RequestError:
            continue
        assert len(tail) == 8 * count or datatype == "BYTES"


@pytest.mark.parametrize("tail", [b"\x05\0\0\0abc", b"\x03\0\0", b"\x02\0\0\0\xff\xfe", b"\x01\0\0\0a\x01\0\0\0"])
def test_strings_whose_lengths_do_not_add_up_are_refused(tail: bytes) -> None:
    tensor = {"name": "i", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(tail)}}
    header = msgspec.json.encode({"inputs": [tensor]})
    with pytest.raises(RequestError) as raised:
        read_strings(decode_request(header + tail, len(header)), "i")
    assert raised.value.code == "serving.string"


@given(FLOATS, STRINGS, st.booleans(), st.booleans())
def test_triton_reads_a_reply_bit_for_bit(
    floats: NDArray[Any], strings: list[str], binary_floats: bool, binary_strings: bool
) -> None:
    outputs = [(Tensor("strings", strings), binary_strings), (Tensor("floats", floats), binary_floats)]
    reply = encode_reply({"model_name": "m"}, outputs)
    assert (reply.header_length is not None) == (binary_floats or binary_strings)
    result = triton.InferResult.from_response_body(reply.body, header_length=reply.header_length)
    np.testing.assert_array_equal(result.as_numpy("floats"), floats, strict=True)
    read = [each.decode() if isinstance(each, bytes) else each for each in result.as_numpy("strings")]
    assert read == strings


@given(st.binary(max_size=200), st.none() | st.integers(0, 300))
def test_any_bytes_are_refused_as_a_request_error(encoded: bytes, header_length: int | None) -> None:
    with pytest.raises(RequestError):
        decode_request(encoded, header_length)


@given(st.integers(0, 1000), st.integers(-20, 20).filter(bool), st.integers(-20, 20))
def test_bytes_that_do_not_add_up_are_refused(size: int, off_tail: int, off_header: int) -> None:
    header = msgspec.json.encode(
        {"inputs": [{"name": "i", "datatype": "UINT8", "shape": [size], "parameters": {"binary_data_size": size}}]}
    )
    tail = bytes(max(0, size + off_tail))
    if len(tail) != size:
        with pytest.raises(RequestError):
            decode_request(header + tail, len(header) + off_header)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"datatype": "FP32"}, "serving.datatype"),
        ({"data": [1, 2]}, "serving.element_count"),
        ({"data": [1, 2, 256]}, "serving.json"),
        ({"data": [1, 2, -1]}, "serving.json"),
        ({"data": [1, 2, 0.5]}, "serving.json"),
        ({"data": [1, 2, None]}, "serving.json"),
        ({"data": [1, 2, True]}, "serving.json"),
        ({"data": [1, 2, "3"]}, "serving.json"),
        ({"data": [1, 2, 10**30]}, "serving.json"),
        ({"data": {}}, "serving.json"),
        ({"data": []}, "serving.element_count"),
        ({"data": [[1, 2, 3]]}, "serving.json"),
        ({"data": [[[[1, 2, 3], [4, 5]]]]}, "serving.json"),
        ({"data": [[[[1, 2]]]]}, "serving.element_count"),
        ({"data": [[[[1], [2], [3]]]]}, "serving.element_count"),
        ({"shape": [1, 1, 1, 4]}, "serving.element_count"),
        ({"shape": [3, 2**31, 2**31, 2**31]}, "serving.element_count"),
    ],
)
def test_json_that_is_no_such_tensor_is_refused(changes: dict[str, object], code: str) -> None:
    with pytest.raises(RequestError) as raised:
        read_uint8(decode_request(body(**changes), None), "image")
    assert raised.value.code == code


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"inputs": NaN}',
        b'{"inputs": "image"}',
        b'{"inputs": [{"name": 1, "datatype": "UINT8", "shape": [1]}]}',
        b'{"inputs": [{"name": "i", "datatype": "UINT8", "shape": [-1]}]}',
        b'{"inputs": [{"name": "i", "datatype": "UINT8", "shape": [1.5]}]}',
        b'{"inputs": [{"name": "i", "datatype": "UINT8", "shape": [1,1,1,1,1,1,1,1,1]}]}',
        b'{"inputs": [], "id": 5}',
        b"[" * 100_000,
        b'{"inputs": [{"name":"i","datatype":"UINT8","shape":[1],"data":' + b"[" * 100_000,
        b'{"inputs": [{"name":"i","datatype":"UINT8","shape":[1],"data":[' + b"9" * 10_000 + b"]}]}",
        b'{"inputs": [{"name":"\xff\xfe","datatype":"UINT8","shape":[1],"data":[1]}]}',
    ],
)
def test_json_that_is_no_request_is_refused(encoded: bytes) -> None:
    with pytest.raises(RequestError):
        read_uint8(decode_request(encoded, None), "i")


def test_data_must_be_in_one_place() -> None:
    neither = msgspec.json.encode({"inputs": [{"name": "i", "datatype": "UINT8", "shape": [1]}]})
    with pytest.raises(RequestError, match="tensor_data"):
        read_uint8(decode_request(neither, None), "i")
    both = body(parameters={"binary_data_size": 3})
    with pytest.raises(RequestError, match="tensor_data"):
        read_uint8(decode_request(both + b"abc", len(both)), "image")


@given(st.binary(max_size=1000))
def test_compressed_bodies_are_expanded(plain: bytes) -> None:
    assert decompress(gzip.compress(plain), "gzip", 1000) == plain
    assert decompress(zlib.compress(plain), "deflate", 1000) == plain
    assert decompress(plain, "", 1000) == plain


def test_a_bomb_is_refused() -> None:
    with pytest.raises(TooLargeError):
        decompress(gzip.compress(bytes(10 << 20)), "gzip", 1 << 20)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"x" + data])
@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_damaged_compression_is_refused(encoding: str, compress, damage) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RequestError):
        decompress(damage(compress(b"some bytes")), encoding, 1000)


def test_another_encoding_is_refused() -> None:
    with pytest.raises(MediaTypeError):
        decompress(b"", "br", 1000)
