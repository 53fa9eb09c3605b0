"""MLflow's scoring protocol at its edges; ``test_mlflow_client`` compares answers with MLflow's own."""

import base64
import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.pumps import pump_rows

from andon.models.bundle.bundle import VisionBundle
from andon.models.messages.catalogue import catalogue
from andon.models.types.errors import DataError
from andon.models.types.vision import Frame
from andon.serving.engine.errors import RequestError, TooLargeError
from andon.serving.engine.models import Model
from andon.serving.engine.repository import ModelRepository
from andon.serving.engine.scoring import scoring_of
from andon.serving.engine.tables import MAX_ROWS, MAX_VALUES, Table, read_csv_table, read_json_table

URL = "/invocations"


@pytest.fixture
def image(draw_plate: Callable[..., Frame], png: Callable[[Frame], bytes]) -> str:
    return base64.b64encode(png(draw_plate(3, True))).decode()


def of_images(*images: object) -> dict[str, Any]:
    return {"dataframe_records": [{"image": each} for each in images]}


def assert_error(response: Any, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    assert document.keys() == {"error_code", "message"}
    assert document["error_code"] == code
    return str(document["message"])


def test_probes_say_whether_a_model_serves(client: TestClient) -> None:
    for path in ("/ping", "/health"):
        assert (client.get(path).status_code, client.get(path).text) == (200, "\n")
    assert client.get("/version").text == version("andon")
    client.post("/v2/repository/models/plates/unload")
    for path in ("/ping", "/health"):
        assert (client.get(path).status_code, client.get(path).text) == (404, "\n")


@pytest.mark.usefixtures("pumps")
def test_a_model_is_named_where_there_are_several(client: TestClient, image: str) -> None:
    message = assert_error(client.post(URL, json=of_images(image)), 404, "RESOURCE_DOES_NOT_EXIST")
    assert "plates, pumps" in message
    assert_error(client.post(URL, params={"model": "other"}, json=of_images(image)), 404, "RESOURCE_DOES_NOT_EXIST")
    for name, request in (("plates", of_images(image)), ("pumps", {"dataframe_records": _rows()})):
        assert client.post(URL, params={"model": name}, json=request).status_code == 200


@pytest.mark.usefixtures("pumps")
def test_measures_that_are_none_are_refused(client: TestClient) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"flow": "x"}, "flow[1]"),
        ({"flow": 10**400}, "flow[1]"),
        ({"flow": [1.0]}, "flow[1]"),
        ({"flow": {}}, "flow[1]"),
        ({"asset": 5}, "asset[1]"),
        ({"asset": None}, "pump 1, 泵 2"),
        ({"asset": float("nan")}, "pump 1, 泵 2"),
    ]
    for change, said in cases:
        first, second, *_ = _rows()
        body = json.dumps({"dataframe_records": [first, {**second, **change}]})
        response = client.post(f"{URL}?model=pumps", content=body, headers={"Content-Type": "application/json"})
        assert said in assert_error(response, 400, "BAD_REQUEST")


@pytest.mark.usefixtures("pumps")
def test_every_missing_column_is_named(client: TestClient) -> None:
    response = client.post(URL, params={"model": "pumps"}, json={"inputs": {"flow": [1.0], "rpm": [1500]}})
    message = assert_error(response, 400, "BAD_REQUEST")
    assert "pressure, ripple" in message
    assert "flow, pressure, ripple, rpm, asset" in message


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ('Application/JSON;charset="UTF-8"', 200),
        ("application/json; charset=latin-1", 415),
        ("application/json; format=pandas-split", 415),
        ("application/vnd.apache.parquet", 415),
        ("text/plain", 415),
        ("", 415),
    ],
)
def test_the_kind_of_body_is_minded(client: TestClient, image: str, content_type: str, status: int) -> None:
    response = client.post(URL, content=json.dumps(of_images(image)), headers={"Content-Type": content_type})
    assert response.status_code == status
    if status != 200:
        assert_error(response, 415, "BAD_REQUEST")


def test_a_row_that_is_no_image_says_so_in_the_callers_language(client: TestClient, image: str) -> None:
    response = client.post(URL, json=of_images("", image), headers={"Accept-Language": "zh"})
    first, second = response.json()["predictions"]
    assert first == {"error": catalogue("zh_CN").text("image.empty", subject="image[0]")}
    assert second["verdict"] == "NG"
    message = assert_error(client.post(URL, json=of_images(5), headers={"Accept-Language": "zh"}), 400, "BAD_REQUEST")
    assert "应为" in message


def test_requests_are_counted(client: TestClient, image: str) -> None:
    client.post(URL, json=of_images(image, image, ""))
    client.post(URL, content=b"{", headers={"Content-Type": "application/json"})
    (counted,) = client.get("/v2/models/plates/stats").json()["model_stats"]
    assert (counted["inference_count"], counted["execution_count"]) == (3, 1)
    assert counted["inference_stats"]["fail"]["count"] == 1
    assert 'andon_verdicts_total{model="plates",verdict="NG"} 2.0' in client.get("/metrics").text


def test_errors_are_in_mlflows_form_whatever_they_are(client: TestClient, image: str) -> None:
    assert_error(client.get(URL), 405, "BAD_REQUEST")
    assert_error(client.post(URL, json=of_images("A" * (1 << 21))), 413, "BAD_REQUEST")
    message = assert_error(client.post(URL, json={"x" * 100_000: 1, "dataframe_split": 1}), 400, "BAD_REQUEST")
    assert len(message) < 1000
    client.post("/v2/repository/models/plates/unload")
    assert_error(client.post(URL, json=of_images(image)), 404, "RESOURCE_DOES_NOT_EXIST")


def test_a_model_that_judges_no_rows_says_so(repository: ModelRepository, tiny_bundle: VisionBundle) -> None:
    plates = repository.model("plates")
    other = Model(name="other", digest=plates.digest, manifest=plates.manifest, contract=plates.contract)
    with pytest.raises(DataError) as raised:
        scoring_of(other, catalogue("en"))
    assert raised.value.code == "scoring.kind"


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs": ' + b"[" * 5000,
        b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"inputs": {"a": ' + b"9" * 10_000 + b"}}",
        b'{"inputs": {"a": [1], "b": [1, 2]}}',
        b'{"inputs": {"a": [1], "b": 1}}',
        b'{"inputs": 5}',
        b'{"inputs": []}',
        b'{"inputs": [1, 2]}',
        b'{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}',
        b'{"dataframe_split": {"columns": ["a", 1], "data": [[1, 2]]}}',
        b'{"dataframe_split": {"columns": ["a"], "data": [1]}}',
        b'{"dataframe_records": [[1]]}',
        b'{"dataframe_records": null}',
        b'{"inputs": "\xff"}',
    ],
)
def test_json_that_is_no_table_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        table = read_json_table(body, ["a", "b"])
        # The limit on digits is Python's own: what is read is refused as a number later.
        assert table.columns == {"a": [int(b"9" * 4000)]}


@pytest.mark.parametrize("body", [b"a,b\n1\n", b"a,b\n1,2,3\n", b"a,a\n1,2\n", b"\x80\n1\n", b"a\n\xff\n"])
def test_csv_that_is_no_table_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        read_csv_table(body, ["a", "b"])


def test_more_than_is_taken_is_refused() -> None:
    for body in (b'{"inputs": [' + b"[]," * MAX_VALUES + b"[]]}", b'{"inputs": [' + b"1," * MAX_VALUES + b"1]}"):
        with pytest.raises(TooLargeError) as raised:
            read_json_table(body, ["a"])
        assert raised.value.code == "scoring.values"
    rows = b'{"inputs": [' + b"1," * MAX_ROWS + b"1]}"
    for read, body in ((read_json_table, rows), (read_csv_table, b"a\n" + b"1\n" * (MAX_ROWS + 1))):
        with pytest.raises(TooLargeError) as raised:
            read(body, ["a"])
        assert raised.value.code == "scoring.rows"
    assert read_csv_table(b"a\n" + b"1\n" * MAX_ROWS, ["a"]).count == MAX_ROWS


def test_columns_that_nobody_wants_are_not_read() -> None:
    wide = b"," * 500_000 + b"\n"
    assert read_csv_table(wide + wide, ["a", "b"]) == Table({}, 0)
    assert read_csv_table(b"a" + wide + b"1" + wide, ["a", "b"]) == Table({"a": ["1"]}, 1)


def test_records_with_a_name_each_take_no_more_than_the_columns_that_are_wanted() -> None:
    rows = [{f"c{row}": 1, "a": row} for row in range(MAX_ROWS)]
    table = read_json_table(msgspec.json.encode({"dataframe_records": rows}), ["a", "b"])
    assert table.columns == {"a": list(range(MAX_ROWS))}


NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@given(st.lists(st.fixed_dictionaries({"a": VALUES}, optional={"b": VALUES, "c": VALUES}), min_size=1, max_size=8))
def test_the_same_table_is_read_whatever_its_form(rows: list[dict[str, Any]]) -> None:
    names = ["a", "b"]
    columns = [name for name in ("c", "a", "b") if any(name in row for row in rows)]
    data = [[row.get(name) for name in columns] for row in rows]
    forms: list[dict[str, Any]] = [
        {"dataframe_records": rows},
        {"dataframe_split": {"columns": columns, "data": data}},
        {"inputs": {name: [row.get(name) for row in rows] for name in columns}},
        {"instances": rows},
    ]
    first, *others = (json.dumps(read_json_table(json.dumps(form).encode(), names).columns) for form in forms)
    for other in others:
        assert json.loads(other) == json.loads(first) or "NaN" in first


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=100).map(str.encode), st.sampled_from(["application/json", "text/csv"])
)
def test_no_bytes_make_it_fail(client: TestClient, body: bytes, content_type: str) -> None:
    assert client.post(URL, content=body, headers={"Content-Type": content_type}).status_code in (200, 400)


JSON_VALUES = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.just("image"), inner, max_size=3)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.sampled_from(["dataframe_split", "dataframe_records", "inputs", "instances"]), JSON_VALUES)
def test_no_json_makes_it_fail(client: TestClient, form: str, value: object) -> None:
    body = json.dumps({form: value})
    response = client.post(URL, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (200, 400), response.text


def _rows() -> list[dict[str, Any]]:
    return [{"asset": "pump 1", **row} for row in pump_rows("pump 1", 4)]
