"""MLflow's own client against a server on a port, and MLflow's own server beside it: the same questions, the same answers."""

import base64
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import mlflow.pyfunc
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from mlflow.pyfunc import scoring_server
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from mlflow.utils.proto_json_utils import dump_input_data
from starlette.testclient import TestClient
from tests.conftest import plate
from tests.pumps import ASSETS, pump_rows

from andon.models.bundle.bundle import AnyBundle, HealthBundle, VisionBundle
from andon.models.bundle.storage import write_bundle
from andon.models.types.vision import Frame
from andon.models.vision.overlays import encode_png
from andon.training.tracking.flavours import BUNDLE_ARTIFACT, flavour_of

Case = tuple[bytes | str, str]
JSON, CSV = "application/json", "text/csv"


def image(seed: int, defective: bool = False) -> str:
    return base64.b64encode(encode_png(plate(seed, defective))).decode()


def rows() -> list[dict[str, Any]]:
    """Both pumps in turns: settling, running well, with a fault, and standing with a measure missing."""
    streams = [[{"asset": asset, **row} for row in pump_rows(asset, 8, 5, fault=4.0)] for asset in ASSETS]
    return [row for pair in zip(*streams, strict=True) for row in pair]


def saved(bundle: AnyBundle, folder: Path) -> TestClient:
    """MLflow's scoring server with the model that tracking logs of ``bundle``."""
    write_bundle(bundle, folder / "bundle")
    flavour = flavour_of(bundle.manifest)
    mlflow.pyfunc.save_model(
        path=str(folder / "model"),
        python_model=str(flavour.code),
        artifacts={BUNDLE_ARTIFACT: (folder / "bundle").as_uri()},
        signature=flavour.signature,
        pip_requirements=[],
    )
    return TestClient(scoring_server.init(mlflow.pyfunc.load_model(str(folder / "model"))))


@pytest.fixture(scope="session")
def of_plates(tiny_bundle: VisionBundle, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return saved(tiny_bundle, tmp_path_factory.mktemp("plates"))


@pytest.fixture(scope="session")
def of_pumps(health_bundle: HealthBundle, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return saved(health_bundle, tmp_path_factory.mktemp("pumps"))


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def answer(client: TestClient, case: Case, **query: str) -> tuple[int, Any]:
    body, content_type = case
    response = client.post("/invocations", content=body, headers={"Content-Type": content_type}, params=query)
    return response.status_code, response.json()


def as_csv(table: pd.DataFrame, **options: Any) -> str:
    buffer = StringIO()
    table.to_csv(buffer, **options)
    return buffer.getvalue()


OK, NG = image(3), image(4, True)
LINES = base64.encodebytes(encode_png(plate(3))).decode()
IMAGES: dict[str, Any] = {
    "split": {"dataframe_split": {"columns": ["image"], "data": [[OK], [NG]]}},
    "split with an index and another column": {
        "dataframe_split": {"index": [5, 6], "columns": ["n", "image"], "data": [[1, OK], [2, NG]]}
    },
    "records": {"dataframe_records": [{"image": OK}, {"image": NG, "n": 1}]},
    "base64 in lines": {"dataframe_records": [{"image": LINES}]},
    "other members": {"dataframe_records": [{"image": OK}], "params": {"a": 1}, "colour": "red"},
    "no image": {"dataframe_records": [{"image": "!!!"}, {"image": "aGVs$$bG8="}, {"image": OK}]},
}


@pytest.mark.parametrize("request_of", IMAGES.values(), ids=IMAGES)
def test_images_are_judged_as_the_logged_model_judges_them(
    client: TestClient, of_plates: TestClient, request_of: dict[str, Any]
) -> None:
    case = (json.dumps(request_of), JSON)
    expected = answer(of_plates, case)
    assert expected[0] == 200
    assert answer(client, case) == expected


ROWS = rows()
FINITE = [row for row in ROWS if None not in row.values()]
COLUMNS = {name: [row[name] for row in FINITE] for name in FINITE[0]}
TABLE = pd.DataFrame(ROWS)
MEASURES: dict[str, Case] = {
    "records": (json.dumps({"dataframe_records": ROWS}), JSON),
    "split": (json.dumps({"dataframe_split": TABLE.to_dict(orient="split")}), JSON),
    "numbers as text": (
        json.dumps({"dataframe_records": [{name: str(value) for name, value in row.items()} for row in FINITE]}),
        JSON,
    ),
    "whole numbers": (json.dumps({"dataframe_records": [{**row, "flow": round(row["flow"])} for row in ROWS]}), JSON),
    "inputs by column": (json.dumps({"inputs": COLUMNS}), JSON),
    "inputs by row": (json.dumps({"inputs": FINITE}), JSON),
    "inputs of one row": (json.dumps({"inputs": FINITE[0]}), JSON),
    "instances by column": (json.dumps({"instances": COLUMNS}), JSON),
    "instances by row": (json.dumps({"instances": FINITE}), JSON),
    "a machine not known yet": (json.dumps({"dataframe_records": [{**row, "asset": "泵 9"} for row in ROWS]}), JSON),
    "csv": (as_csv(TABLE, index=False), CSV),
    "csv with an index": (as_csv(TABLE), f"{CSV}; charset=utf-8"),
    "csv with quotes": (as_csv(TABLE, index=False, quoting=1, lineterminator="\r\n"), CSV),
    "csv without rows": ("asset,flow,pressure,ripple,rpm\n", CSV),
    "csv with other names for nothing": ('flow,pressure,ripple,rpm,asset\nNA,#N/A,"",1500,"pump ""1"""\n', CSV),
}


@pytest.mark.usefixtures("pumps")
@pytest.mark.parametrize("case", MEASURES.values(), ids=MEASURES)
def test_measures_are_judged_as_the_logged_model_judges_them(
    client: TestClient, of_pumps: TestClient, case: Case
) -> None:
    expected = answer(of_pumps, case)
    assert expected[0] == 200
    assert answer(client, case, model="pumps") == expected


@pytest.mark.usefixtures("pumps")
def test_the_rows_tell_something(client: TestClient) -> None:
    _, found = answer(client, MEASURES["records"], model="pumps")
    assert {each["phase"] for each in found["predictions"]} == {"judged", "skipped"}
    assert {each["anomalous"] for each in found["predictions"]} == {True, False}


REFUSED: dict[str, Case] = {
    "no form": (json.dumps({"data": [1]}), JSON),
    "two forms": (json.dumps({"inputs": [OK], "instances": [OK]}), JSON),
    "a list": (json.dumps([OK]), JSON),
    "a text": ('"x"', JSON),
    "broken": ("{", JSON),
    "no text": (b"\xff\xfe\x00", JSON),
    "no such column": (json.dumps({"dataframe_records": [{"picture": OK}]}), JSON),
    "no rows": (json.dumps({"dataframe_records": []}), JSON),
    "no columns": (json.dumps({"dataframe_split": {"data": [[OK]]}}), JSON),
    "more than a split has": (json.dumps({"dataframe_split": {"columns": ["image"], "data": [[OK]], "x": 1}}), JSON),
    "a split as a list": (json.dumps({"dataframe_split": [[OK]]}), JSON),
    "records as an object": (json.dumps({"dataframe_records": {"image": OK}}), JSON),
    "an image that is null": (json.dumps({"dataframe_records": [{"image": OK}, {"image": None}]}), JSON),
    "an image that is a number": (json.dumps({"dataframe_records": [{"image": 5}]}), JSON),
    "base64 cut off": (json.dumps({"dataframe_records": [{"image": "aGVsb"}]}), JSON),
    "rows too long": (json.dumps({"dataframe_split": {"columns": ["image"], "data": [[OK, 1]]}}), JSON),
    "an empty csv": ("", CSV),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_one_refuses_the_other_does(client: TestClient, of_plates: TestClient, case: Case) -> None:
    theirs, ours = answer(of_plates, case), answer(client, case)
    assert theirs[0] == ours[0] == 400
    assert ours[1].keys() == {"error_code", "message"} <= theirs[1].keys()
    assert ours[1]["error_code"] == "BAD_REQUEST"


@pytest.fixture
def remote(server: str) -> Any:
    client_of: Any = ScoringServerClient
    connected = client_of(*server.split(":"))
    connected.wait_server_ready(timeout=10)
    return connected


def test_their_client_is_answered(remote: Any, of_plates: TestClient) -> None:
    remote.ping()
    assert remote.get_version()
    table = pd.DataFrame({"image": [OK, NG]})
    answered = remote.invoke(table)
    (_, expected) = answer(of_plates, (json.dumps(IMAGES["split"]), JSON))
    assert answered["predictions"] == expected["predictions"]
    assert answered.get_predictions()["verdict"].tolist() == ["OK", "NG"]


def test_their_client_learns_what_was_wrong(remote: Any) -> None:
    with pytest.raises(Exception, match=r"error code 400.*BAD_REQUEST.*image"):
        remote.invoke(pd.DataFrame({"picture": [OK]}))
    with pytest.raises(Exception, match=r"error code 400.*exactly one of"):
        remote.invoke("{}")


@pytest.mark.usefixtures("pumps")
def test_not_a_number_is_sent_by_their_client_as_such(remote: Any, server: str, of_pumps: TestClient) -> None:
    httpx.post(f"http://{server}/v2/repository/models/plates/unload").raise_for_status()
    table = TABLE.assign(flow=[np.nan if row % 7 == 0 else value for row, value in enumerate(TABLE["flow"])])
    _, expected = answer(of_pumps, (dump_input_data(table), JSON))
    assert remote.invoke(table)["predictions"] == expected["predictions"]


def test_images_may_be_in_base64_wherever_they_are(client: TestClient, draw_plate: Callable[..., Frame]) -> None:
    """MLflow's own server takes the letters themselves for the image there, and finds that they are none."""
    _, expected = answer(client, (json.dumps(IMAGES["split"]), JSON))
    requests: list[Case] = [
        (json.dumps({form: value}), JSON)
        for form in ("inputs", "instances")
        for value in ([OK, NG], {"image": [OK, NG]}, [{"image": OK}, {"image": NG}])
    ]
    for case in [*requests, (f"image\n{OK}\n{NG}\n", CSV), (as_csv(pd.DataFrame({"image": [OK, NG]})), CSV)]:
        assert answer(client, case) == (200, expected)
