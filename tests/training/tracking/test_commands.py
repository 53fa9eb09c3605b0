"""``andon registry`` as scripts and people call it."""

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from andon.models.bundle.storage import read_bundle
from andon.models.command.main import BAD_INPUT, DONE, main


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


def _use_command(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("registry", "andon.training.tracking.commands:registry", "andon.commands")
    monkeypatch.setattr("andon.models.command.main.entry_points", lambda group: [entry])
    monkeypatch.setenv("ANDON_HOME", str(home))
    monkeypatch.setenv("ANDON_LANG", "en")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
