"""Runs, logged models and the registry against one local store."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import cv2
import mlflow
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from andon.models.bundle.bundle import BANK, Bundle, encode_array, file_digests
from andon.models.bundle.runtime import load_bundle
from andon.models.bundle.storage import read_bundle, write_bundle
from andon.models.command.main import BAD_INPUT, DONE, main
from andon.models.messages.catalogue import catalogue
from andon.models.types.errors import AndonError, BundleError, OptionError, ResourceError
from andon.models.types.vision import Frame
from andon.models.vision.documents import inspection_document
from andon.training.tracking import registry
from andon.training.tracking.logged_models import LoggedRun, find_bundle_model
from andon.training.tracking.registry import list_versions, promote, pull, push
from andon.training.tracking.runs import TrainingRecord, log_training
from andon.training.tracking.session import session
from andon.training.tracking.store import TrackingStore, default_store

PNG = b"\x89PNG\r\n\x1a\n"


def with_threshold(bundle: Bundle, threshold: float) -> Bundle:
    """Another bundle that is as sound as ``bundle``."""
    point = replace(bundle.manifest.operating_point, threshold=threshold)
    return replace(bundle, manifest=replace(bundle.manifest, operating_point=point))


def with_foreign_bank(bundle: Bundle) -> Bundle:
    """A bundle whose files are whole, but which does not score as its goldens say."""
    files = {**bundle.files, BANK: encode_array(bundle.bank() + np.float32(1))}
    return Bundle(replace(bundle.manifest, files=file_digests(files)), files)


def encoded(frame: Frame) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes()


def code_of(raised: pytest.ExceptionInfo[AndonError]) -> str:
    """The message's code; the message itself must be complete in both languages, and one line."""
    for language in ("en", "zh_CN"):
        assert "\n" not in catalogue(language).error(raised.value)
    return raised.value.code


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("工厂 home")


@pytest.fixture(scope="session")
def store(home: Path) -> TrackingStore:
    return default_store(home, {})


@pytest.fixture(scope="session")
def record(tiny_bundle: Bundle) -> TrainingRecord:
    return TrainingRecord(
        bundle=tiny_bundle,
        source="folder:plates",
        metrics={"auroc": 0.99, "overkill": 0.01},
        calibration_scores=[1.0, 1.5, 1.9],
        good_scores=[1.2],
        bad_scores=[17.0],
        worst_images={"划痕 1.png": PNG + b"overlay"},
    )


@pytest.fixture(scope="session")
def logged(record: TrainingRecord, store: TrackingStore) -> LoggedRun:
    return log_training(record, store)


@pytest.fixture
def client(store: TrackingStore) -> Iterator[MlflowClient]:
    with session(store) as opened:
        yield opened


@pytest.fixture(scope="session")
def artifacts(logged: LoggedRun, store: TrackingStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's files."""
    folder = tmp_path_factory.mktemp("run")
    return Path(download_artifacts(run_id=logged.run_id, dst_path=str(folder), tracking_uri=store.tracking_uri))


@pytest.fixture(scope="session")
def model_folder(logged: LoggedRun, store: TrackingStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The logged model's files."""
    folder = tmp_path_factory.mktemp("model")
    return Path(download_artifacts(_location(logged, store), dst_path=str(folder), tracking_uri=store.tracking_uri))


@pytest.fixture(autouse=True)
def working_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing may be left where the process happens to stand: mlflow would put a store of its own there."""
    folder = tmp_path_factory.mktemp("cwd")
    monkeypatch.chdir(folder)
    yield
    assert not {"mlflow.db", "mlruns", "mlartifacts"} & {path.name for path in folder.iterdir()}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return tmp_path / "bundles"


def test_a_training_is_a_finished_run(logged: LoggedRun, client: MlflowClient, tiny_bundle: Bundle) -> None:
    run = client.get_run(logged.run_id)
    manifest = tiny_bundle.manifest
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"auroc": 0.99, "overkill": 0.01}
    assert (
        run.data.params.items()
        >= {
            "seed": "0",
            "overkill": "0.2",
            "bank_size": "64",
            "input_height": "64",
            "input_width": "64",
            "method": "patchcore",
            "data": "striped plates",
            "library.numpy": manifest.libraries["numpy"],
        }.items()
    )
    assert (
        run.data.tags.items()
        >= {
            "andon.bundle_digest": tiny_bundle.digest,
            "andon.kind": "vision",
            "andon.method": "patchcore",
            "andon.data_digest": manifest.data.checksum,
        }.items()
    )


def test_a_local_store_keeps_its_files_at_home(logged: LoggedRun, client: MlflowClient, home: Path) -> None:
    kept = (home / "mlflow-artifacts").as_uri()
    assert str(client.get_run(logged.run_id).info.artifact_uri).startswith(kept)
    assert client.get_logged_model(logged.model_id).artifact_location.startswith(kept)


def test_a_run_names_the_data_that_went_in(logged: LoggedRun, client: MlflowClient, tiny_bundle: Bundle) -> None:
    inputs = client.get_run(logged.run_id).inputs
    assert inputs is not None
    (dataset,) = (each.dataset for each in inputs.dataset_inputs)
    assert dataset.name == "striped plates"
    assert tiny_bundle.manifest.data.checksum.startswith(dataset.digest)
    assert len(dataset.digest) >= 32
    assert json.loads(dataset.source) == {"uri": "folder:plates"}


def test_a_run_keeps_card_histogram_worst_images_and_bundle(artifacts: Path, tiny_bundle: Bundle) -> None:
    card = json.loads((artifacts / "data_card.json").read_text(encoding="utf-8"))
    assert (card["licence"], card["checksum"]) == ("Apache-2.0", tiny_bundle.manifest.data.checksum)
    assert (artifacts / "score_histogram.png").read_bytes().startswith(PNG)
    assert (artifacts / "worst_images" / "划痕 1.png").read_bytes() == PNG + b"overlay"
    assert read_bundle(artifacts / "bundle").digest == tiny_bundle.digest


def test_metrics_stand_at_the_model_as_well(logged: LoggedRun, client: MlflowClient) -> None:
    model = client.get_logged_model(logged.model_id)
    assert {metric.key: metric.value for metric in model.metrics or ()} == {"auroc": 0.99, "overkill": 0.01}
    assert model.source_run_id == logged.run_id
    outputs = client.get_run(logged.run_id).outputs
    assert outputs is not None
    assert [each.model_id for each in outputs.model_outputs] == [logged.model_id]


def test_the_logged_model_holds_no_pickle(model_folder: Path) -> None:
    names = {path.relative_to(model_folder).as_posix(): path for path in model_folder.rglob("*") if path.is_file()}
    assert {"MLmodel", "pyfunc_model.py", "artifacts/bundle/model.onnx"} <= names.keys()
    for name, path in names.items():
        assert path.suffix not in (".pkl", ".pickle", ".joblib", ".pt", ".pth"), name
        assert path.read_bytes()[:1] != b"\x80", name
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
    assert "python_model:" not in (model_folder / "MLmodel").read_text(encoding="utf-8")


def test_the_logged_model_pins_what_it_needs(model_folder: Path, tiny_bundle: Bundle) -> None:
    requirements = (model_folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    libraries = tiny_bundle.manifest.libraries
    assert {f"andon=={libraries['andon']}", f"onnxruntime=={libraries['onnxruntime']}"} <= set(requirements)
    assert all("==" in each for each in requirements)


def test_predict_equals_inspect(
    logged: LoggedRun,
    store: TrackingStore,
    bundle_dir: Path,
    draw_plate: Callable[..., Frame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri)
    frames = [draw_plate(50), draw_plate(51, defective=True), draw_plate(52, side=160), np.zeros((64, 64, 3), np.uint8)]
    inspector = load_bundle(bundle_dir).inspector
    expected = [inspection_document(inspector.inspect(frame), 0) for frame in frames]
    for document in expected:
        del document["milliseconds"]
    images = [encoded(frame) for frame in frames]

    model = mlflow.pyfunc.load_model(logged.model_uri)

    assert {document["verdict"] for document in expected} == {"OK", "NG", "RETAKE"}
    assert model.predict(pd.DataFrame({"image": images})) == expected
    assert model.unwrap_python_model().predict(None, images) == expected


def test_an_undecodable_image_spoils_no_other(
    logged: LoggedRun, store: TrackingStore, draw_plate: Callable[..., Frame]
) -> None:
    model = mlflow.pyfunc.load_model(_location(logged, store))
    bad, good = model.predict(pd.DataFrame({"image": [b"no image", encoded(draw_plate(50))]}))
    assert bad.keys() == {"error"}
    assert bad["error"].startswith("image[0]: its contents are no image")
    assert good["verdict"] == "OK"


def test_the_signature_takes_bytes_and_names_what_it_gives(model_folder: Path) -> None:
    signature = mlflow.models.Model.load(str(model_folder)).signature
    assert signature.inputs.to_dict() == [{"type": "binary", "name": "image", "required": True}]
    assert signature.outputs.input_names() == ["verdict", "score", "threshold", "reason", "defects", "error"]


def test_logging_is_silent_and_leaves_the_process_as_it_was(
    record: TrainingRecord,
    store: TrackingStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    (tmp_path / "uv.lock").write_text("version = 1\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'other'\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), dict(os.environ))

    run = log_training(record, store)

    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), dict(os.environ)) == before
    assert mlflow.active_run() is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pyproject.toml", "uv.lock"]
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    with session(store) as client:
        files = client.list_logged_model_artifacts(run.model_id)
    assert not {"uv.lock", "pyproject.toml"} & {file.path for file in files}


def test_a_run_that_was_cut_off_is_failed_and_its_model_never_found(
    record: TrainingRecord, store: TrackingStore, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = with_threshold(record.bundle, 3.25)

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MlflowClient, "log_model_artifacts", full_disk)
    with pytest.raises(ResourceError) as raised:
        log_training(replace(record, bundle=other), store)

    assert code_of(raised) == "tracking.store_failed"
    (experiment,) = (each for each in client.search_experiments() if each.name == "andon")
    (run,) = client.search_runs([experiment.experiment_id], f"tags.`andon.bundle_digest` = '{other.digest}'")
    assert run.info.status == "FAILED"
    assert find_bundle_model(client, other.digest) is None


def test_push_registers_what_a_training_has_logged(logged: LoggedRun, store: TrackingStore, bundle_dir: Path) -> None:
    version = push(bundle_dir, "trained", store)
    digest = read_bundle(bundle_dir).digest
    assert (version.name, version.version, version.bundle_digest) == ("trained", 1, digest)
    assert version.run_id is not None
    with session(store) as client:
        assert client.get_run(version.run_id).data.metrics["auroc"] == 0.99
        assert client.get_model_version("trained", "1").tags == {"andon.bundle_digest": digest}


def test_push_gives_a_bundle_one_version_a_name(store: TrackingStore, tiny_bundle: Bundle, tmp_path: Path) -> None:
    first, second = with_threshold(tiny_bundle, 2.5), with_threshold(tiny_bundle, 2.75)
    write_bundle(first, tmp_path / "first")
    write_bundle(second, tmp_path / "second.andon")

    pushed = [push(tmp_path / name, "板 1", store) for name in ("first", "second.andon", "first")]

    assert [each.version for each in pushed] == [1, 2, 1]
    assert [each.bundle_digest for each in pushed] == [first.digest, second.digest, first.digest]
    elsewhere = push(tmp_path / "first", "elsewhere", store)
    assert (elsewhere.version, elsewhere.run_id) == (1, pushed[0].run_id)


def test_the_champion_is_published(store: TrackingStore, bundle_dir: Path, published: Path) -> None:
    version = push(bundle_dir, "champions", store)
    challenger = promote("champions", "1", "challenger", store, published)
    assert challenger.published is None
    assert not published.exists()

    champion = promote("champions", "1", "champion", store, published)

    assert champion.published == published / "champions"
    assert load_bundle(published / "champions").bundle.digest == version.bundle_digest
    (listed,) = (each for each in list_versions(store) if each.name == "champions")
    assert listed.aliases == ("challenger", "champion")


def test_an_alias_moves(store: TrackingStore, tiny_bundle: Bundle, tmp_path: Path, published: Path) -> None:
    for threshold in (4.0, 5.0):
        write_bundle(with_threshold(tiny_bundle, threshold), tmp_path / "bundle")
        push(tmp_path / "bundle", "moving", store)
    for version in ("1", "2"):
        promote("moving", version, "champion", store, published)
    assert read_bundle(published / "moving").manifest.operating_point.threshold == 5.0
    pulled = pull("models:/moving@champion", tmp_path / "pulled", store)
    assert pulled.version == 2


def test_a_bundle_that_fails_its_goldens_is_not_promoted(
    store: TrackingStore, tiny_bundle: Bundle, tmp_path: Path, published: Path
) -> None:
    write_bundle(with_foreign_bank(tiny_bundle), tmp_path / "foreign")
    push(tmp_path / "foreign", "foreign", store)
    with pytest.raises(BundleError) as raised:
        promote("foreign", "1", "champion", store, published)
    assert code_of(raised) == "bundle.parity"
    assert not published.exists()
    assert _aliases(store, "foreign") == {}


def test_a_bundle_that_was_changed_in_the_store_is_neither_promoted_nor_pulled(
    store: TrackingStore, home: Path, tiny_bundle: Bundle, tmp_path: Path, published: Path
) -> None:
    write_bundle(with_threshold(tiny_bundle, 6.0), tmp_path / "bundle")
    version = push(tmp_path / "bundle", "tampered", store)
    with session(store) as client:
        found = find_bundle_model(client, version.bundle_digest)
    assert found is not None
    (bank,) = home.rglob(f"{found.model_id}/artifacts/artifacts/bundle/bank.npy")
    bank.write_bytes(bank.read_bytes()[:-1] + b"\x01")

    for fetch in (
        lambda: promote("tampered", "1", "champion", store, published),
        lambda: pull("models:/tampered/1", tmp_path / "pulled", store),
    ):
        with pytest.raises(BundleError) as raised:
            fetch()
        assert code_of(raised) == "bundle.changed_file"
    assert not published.exists()
    assert not (tmp_path / "pulled").exists()


def test_another_bundle_than_was_pushed_is_refused(
    store: TrackingStore, bundle_dir: Path, tmp_path: Path, published: Path
) -> None:
    push(bundle_dir, "swapped", store)
    with session(store) as client:
        client.set_model_version_tag("swapped", "1", "andon.bundle_digest", "0" * 64)
    for fetch in (
        lambda: promote("swapped", "1", "champion", store, published),
        lambda: pull("models:/swapped/1", tmp_path / "pulled", store),
    ):
        with pytest.raises(BundleError) as raised:
            fetch()
        assert code_of(raised) == "tracking.other_bundle"
    assert not published.exists()
    assert not (tmp_path / "pulled").exists()
    assert _aliases(store, "swapped") == {}


def test_nothing_is_promoted_where_publishing_fails(
    store: TrackingStore, bundle_dir: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(bundle_dir, "unpublished", store)

    def full_disk(_: Bundle, path: Path) -> None:
        raise ResourceError("bundle.not_written", str(path), reason="No space left on device")

    monkeypatch.setattr(registry, "write_bundle", full_disk)
    with pytest.raises(ResourceError):
        promote("unpublished", "1", "champion", store, published)
    assert _aliases(store, "unpublished") == {}


def test_pull_gives_what_was_pushed(store: TrackingStore, bundle_dir: Path, tmp_path: Path, published: Path) -> None:
    push(bundle_dir, "pulled", store)
    promote("pulled", "1", "champion", store, published)
    for uri in ("models:/pulled@champion", "models:/pulled/1"):
        out = tmp_path / "out.andon"
        version = pull(uri, out, store)
        assert (version.name, version.version) == ("pulled", 1)
        assert read_bundle(out) == read_bundle(bundle_dir)


def test_pull_refuses_to_replace_something_else_before_it_fetches(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_bytes(PNG)
    with pytest.raises(OptionError) as raised:
        pull("models:/pulled/1", tmp_path / "photos", TrackingStore("http://127.0.0.1:9"))
    assert code_of(raised) == "bundle.not_replaceable"


def test_what_is_unknown_is_named_with_what_is_known(
    store: TrackingStore, bundle_dir: Path, tmp_path: Path, published: Path
) -> None:
    push(bundle_dir, "known", store)
    promote("known", "1", "challenger", store, published)
    for uri, code, known in (
        ("models:/strange@champion", "tracking.unknown_name", "known"),
        ("models:/known/7", "tracking.unknown_version", "1"),
        ("models:/known@champion", "tracking.unknown_alias", "challenger"),
    ):
        with pytest.raises(OptionError) as raised:
            pull(uri, tmp_path / "out", store)
        assert code_of(raised) == code
        assert known in str(raised.value.params["known"]).split(", ")
    with pytest.raises(OptionError) as raised:
        promote("known", "7", "champion", store, published)
    assert code_of(raised) == "tracking.unknown_version"


def test_a_version_that_others_registered_is_not_taken_for_a_bundle(store: TrackingStore, tmp_path: Path) -> None:
    with session(store) as client:
        client.create_registered_model("foreigner")
        client.create_model_version("foreigner", source=tmp_path.as_uri())
    with pytest.raises(OptionError) as raised:
        pull("models:/foreigner/1", tmp_path / "out", store)
    assert code_of(raised) == "tracking.not_a_bundle"
    assert "foreigner" not in {each.name for each in list_versions(store)}


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "..", ".hidden", "a@b", "it's", "end.", "a" * 101])
def test_a_name_must_serve_as_folder_and_address(name: str, store: TrackingStore, bundle_dir: Path) -> None:
    with pytest.raises(OptionError) as raised:
        push(bundle_dir, name, store)
    assert code_of(raised) == "tracking.bad_name"


@pytest.mark.parametrize(
    ("version", "alias", "code"),
    [
        ("0", "champion", "tracking.bad_version"),
        ("latest", "champion", "tracking.bad_version"),
        ("٣", "champion", "tracking.bad_version"),
        ("9" * 30, "champion", "tracking.bad_version"),
        ("1", "Latest", "tracking.bad_alias"),
        ("1", "v2", "tracking.bad_alias"),
        ("1", "a b", "tracking.bad_alias"),
        ("1", "", "tracking.bad_alias"),
    ],
)
def test_versions_and_aliases_are_checked_first(
    version: str, alias: str, code: str, store: TrackingStore, published: Path
) -> None:
    with pytest.raises(OptionError) as raised:
        promote("known", version, alias, store, published)
    assert code_of(raised) == code


@pytest.mark.parametrize("uri", ["known", "models:/known", "models:/", "models:/a/1/2", "runs:/x/y", "models:/a@b@c"])
def test_an_address_must_be_one(uri: str, store: TrackingStore, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as raised:
        pull(uri, tmp_path / "out", store)
    assert code_of(raised) == "tracking.bad_uri"


def test_the_command_answers_in_documents(
    home: Path,
    bundle_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    _use_command(home, monkeypatch)
    digest = read_bundle(bundle_dir).digest

    def answer(*words: str) -> list[dict[str, object]]:
        assert main(["registry", *words, "--json"]) == DONE
        out, err = capfd.readouterr()
        assert err == ""
        return [json.loads(line) for line in out.splitlines()]

    (pushed,) = answer("push", str(bundle_dir), "--name", "spoken")
    assert pushed.keys() == {"name", "version", "bundle_digest", "run_id"}
    assert (pushed["name"], pushed["version"], pushed["bundle_digest"]) == ("spoken", 1, digest)
    published = home / "bundles" / "spoken"
    assert answer("promote", "spoken", "1", "--alias", "champion") == [
        {"name": "spoken", "version": 1, "alias": "champion", "published": str(published)}
    ]
    assert read_bundle(published).digest == digest
    out = str(tmp_path / "out")
    assert answer("pull", "models:/spoken@champion", "--out", out) == [
        {"path": out, "name": "spoken", "version": 1, "bundle_digest": digest}
    ]
    (listed,) = (each for each in answer("list") if each["name"] == "spoken")
    assert listed == {**pushed, "aliases": ["champion"]}


def test_the_command_speaks_to_people(
    home: Path, bundle_dir: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    _use_command(home, monkeypatch)
    for words, heard in (
        (["push", str(bundle_dir), "--name", "told"], "told version 1: bundle "),
        (["promote", "told", "1", "--alias", "champion"], "told version 1 is now champion\npublished to "),
        (["list"], "told version 1 (champion): bundle "),
    ):
        assert main(["registry", *words]) == DONE
        assert heard in capfd.readouterr().out
    assert main(["registry", "promote", "told", "8", "--alias", "champion"]) == BAD_INPUT
    assert capfd.readouterr().err == "andon: told/8: there is no such version; expected one of: 1\n"


@pytest.mark.parametrize("action", ["push", "promote", "pull", "list"])
@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_help_has_an_example(
    action: str, language: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _use_command(home, monkeypatch)
    monkeypatch.setenv("ANDON_LANG", language)
    with pytest.raises(SystemExit):
        main(["registry", action, "--help"])
    assert f"andon registry {action}" in capsys.readouterr().out.partition("\n\n")[2]


def _location(logged: LoggedRun, store: TrackingStore) -> str:
    with session(store) as client:
        return client.get_logged_model(logged.model_id).artifact_location


def _aliases(store: TrackingStore, name: str) -> dict[str, str]:
    with session(store) as client:
        return dict(client.get_registered_model(name).aliases)


def _use_command(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("registry", "andon.training.tracking.commands:registry", "andon.commands")
    monkeypatch.setattr("andon.models.command.main.entry_points", lambda group: [entry])
    monkeypatch.setenv("ANDON_HOME", str(home))
    monkeypatch.setenv("ANDON_LANG", "en")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
