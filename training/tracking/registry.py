"""Named versions of bundles: push them, promote one by an alias, pull one by either."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from andon.datasets.registry.stores import CHAMPION, NAME
from andon.datasets.registry.tags import BUNDLE_IN_MODEL, DIGEST_TAG, SIGNATURE_TAG
from andon.models.bundle.bundle import AnyBundle
from andon.models.bundle.runtime import load_bundle
from andon.models.bundle.storage import check_replaceable, read_bundle, write_bundle
from andon.models.types.errors import BundleError, OptionError
from andon.models.types.progress import Progress, silent
from andon.training.tracking.logged_models import LoggedRun, find_bundle_model
from andon.training.tracking.runs import log_bundle
from andon.training.tracking.session import session
from andon.training.tracking.store import TrackingStore

ABSENT = "RESOURCE_DOES_NOT_EXIST"
Found = TypeVar("Found")

_ALIAS = re.compile(r"(?!latest$|v\d+$)[\w-]{1,100}", re.IGNORECASE)
_VERSION = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[^/@]+))")


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a registered bundle."""

    name: str
    version: int
    bundle_digest: str
    run_id: str | None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Promotion:
    """A version that has an alias now; ``published`` is where its bundle was written for the service, if it was."""

    name: str
    version: int
    alias: str
    published: Path | None


def push(bundle_path: Path, name: str, store: TrackingStore, progress: Progress = silent) -> RegisteredVersion:
    """Register the bundle at ``bundle_path`` under ``name``.

    A bundle that is registered there already keeps its version, and gets the signatures that it has now; one that a training has logged is
    not logged again.

    Raises
    ------
    OptionError
        The name cannot be used.
    BundleError
        There is no bundle, or it is damaged.
    ResourceError
        The store failed.
    """
    _require(NAME, name, "tracking.bad_name")
    bundle = read_bundle(bundle_path)
    with session(store) as client:
        progress("tracking.pushing", 0, 2)
        version = _version_of(client, name, bundle.digest)
        if version is None:
            logged = _logged(client, store, bundle)
            progress("tracking.pushing", 1, 2)
            version = _register(client, name, bundle.digest, logged)
        if bundle.signature is not None:
            client.set_model_version_tag(name, version.version, SIGNATURE_TAG, bundle.signature.decode())
        progress("tracking.pushing", 2, 2)
        return _registered(version)


def promote(
    name: str,
    version: str,
    alias: str,
    store: TrackingStore,
    publish_to: Path,
    progress: Progress = silent,
) -> Promotion:
    """Give ``version`` the alias, once its bundle has proved itself on this machine.

    The champion's bundle is also written to ``publish_to/name``, before the alias moves: where that fails, nothing has
    changed.

    Raises
    ------
    OptionError
        The name, version or alias is unknown or cannot be used.
    BundleError
        The bundle is damaged, is not the one that was pushed, or does not reproduce its goldens here.
    ResourceError
        The store or the disk failed.
    """
    _require(NAME, name, "tracking.bad_name")
    _require(_VERSION, version, "tracking.bad_version")
    _require(_ALIAS, alias, "tracking.bad_alias")
    published = publish_to / name if alias == CHAMPION else None
    with TemporaryDirectory() as scratch, session(store) as client:
        found = _known_version(client, _known_model(client, name), version)
        progress("tracking.promoting", 0, 3)
        folder = _download(store, client, found, Path(scratch))
        progress("tracking.promoting", 1, 3)
        bundle = _with_signature(load_bundle(folder).bundle, found)
        _require_digest(bundle, found)
        progress("tracking.promoting", 2, 3)
        if published is not None:
            write_bundle(bundle, published)
        client.set_registered_model_alias(name, alias, version)
        progress("tracking.promoting", 3, 3)
    return Promotion(name, int(version), alias, published)


def pull(uri: str, out: Path, store: TrackingStore, progress: Progress = silent) -> RegisteredVersion:
    """Fetch the bundle of ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION`` and write it at ``out``.

    Raises
    ------
    OptionError
        The address cannot be read, or names nothing; ``out`` holds something else than a bundle.
    BundleError
        The bundle is damaged, or is not the one that was pushed.
    ResourceError
        The store or the disk failed.
    """
    check_replaceable(out)
    name, alias, version = _parsed(uri)
    with TemporaryDirectory() as scratch, session(store) as client:
        model = _known_model(client, name)
        found = _known_version(client, model, version or _aliased(model, alias))
        progress("tracking.pulling", 0, 2)
        bundle = _with_signature(read_bundle(_download(store, client, found, Path(scratch))), found)
        _require_digest(bundle, found)
        progress("tracking.pulling", 1, 2)
    write_bundle(bundle, out)
    progress("tracking.pulling", 2, 2)
    return _registered(found)


def _with_signature(bundle: AnyBundle, version: ModelVersion) -> AnyBundle:
    """Put the signature that a version has now in the place of the one that it was logged with."""
    signature = version.tags.get(SIGNATURE_TAG)
    return replace(bundle, signature=signature.encode()) if signature else bundle


def list_versions(store: TrackingStore) -> list[RegisteredVersion]:
    """List all versions of all registered bundles by name and version, each with its aliases.

    Models that others have registered in the same store are left out.
    """
    with session(store) as client:
        listed = [
            _registered(version, _aliases(model, version))
            for model in client.search_registered_models()
            for version in _versions(client, model.name)
            if DIGEST_TAG in version.tags
        ]
    return sorted(listed, key=lambda each: (each.name, each.version))


def _require(pattern: re.Pattern[str], value: str, code: str) -> None:
    if not pattern.fullmatch(value):
        raise OptionError(code, value)


def _parsed(uri: str) -> tuple[str, str | None, str | None]:
    match = _URI.fullmatch(uri)
    if match is None:
        raise OptionError("tracking.bad_uri", uri)
    _require(NAME, match["name"], "tracking.bad_name")
    if match["version"] is not None:
        _require(_VERSION, match["version"], "tracking.bad_version")
    return match["name"], match["alias"], match["version"]


def _logged(client: MlflowClient, store: TrackingStore, bundle: AnyBundle) -> LoggedRun:
    return find_bundle_model(client, bundle.digest) or log_bundle(client, store, bundle)


def _register(client: MlflowClient, name: str, digest: str, logged: LoggedRun) -> ModelVersion:
    if _or_none(lambda: client.get_registered_model(name)) is None:
        client.create_registered_model(name)
    return client.create_model_version(
        name,
        # mlflow would look models:/... up in the store that the process uses elsewhere
        source=client.get_logged_model(logged.model_id).artifact_location,
        run_id=logged.run_id,
        tags={DIGEST_TAG: digest},
        model_id=logged.model_id,
    )


def _version_of(client: MlflowClient, name: str, digest: str) -> ModelVersion | None:
    same = (version for version in _versions(client, name) if version.tags.get(DIGEST_TAG) == digest)
    return next(same, None)


def _versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    return list(client.search_model_versions(f"name = '{name}'"))


def _known_model(client: MlflowClient, name: str) -> RegisteredModel:
    model = _or_none(lambda: client.get_registered_model(name))
    if model is None:
        known = [each.name for each in client.search_registered_models()]
        raise OptionError("tracking.unknown_name", name, known=_list_of(known))
    return model


def _known_version(client: MlflowClient, model: RegisteredModel, version: str) -> ModelVersion:
    found = _or_none(lambda: client.get_model_version(model.name, version))
    if found is None:
        known = sorted(int(each.version) for each in _versions(client, model.name))
        raise OptionError("tracking.unknown_version", f"{model.name}/{version}", known=_list_of(known))
    if DIGEST_TAG not in found.tags:
        raise OptionError("tracking.not_a_bundle", f"{model.name}/{version}", tag=DIGEST_TAG)
    return found


def _aliased(model: RegisteredModel, alias: str | None) -> str:
    if alias not in model.aliases:
        raise OptionError("tracking.unknown_alias", f"{model.name}@{alias}", known=_list_of(sorted(model.aliases)))
    return str(model.aliases[alias])


def _aliases(model: RegisteredModel, version: ModelVersion) -> tuple[str, ...]:
    return tuple(sorted(alias for alias, number in model.aliases.items() if str(number) == str(version.version)))


def _or_none(call: Callable[[], Found]) -> Found | None:
    try:
        return call()
    except MlflowException as error:
        if error.error_code != ABSENT:
            raise
        return None


def _download(store: TrackingStore, client: MlflowClient, version: ModelVersion, folder: Path) -> Path:
    model = client.get_model_version_download_uri(version.name, version.version)
    fetched = download_artifacts(
        artifact_uri=f"{model}/{BUNDLE_IN_MODEL}",
        dst_path=str(folder),
        tracking_uri=store.tracking_uri,
        registry_uri=store.tracking_uri,
    )
    return Path(fetched)


def _require_digest(bundle: AnyBundle, version: ModelVersion) -> None:
    expected = version.tags[DIGEST_TAG]
    if bundle.digest != expected:
        subject = f"{version.name}/{version.version}"
        raise BundleError("tracking.other_bundle", subject, found=bundle.digest[:12], expected=expected[:12])


def _registered(version: ModelVersion, aliases: tuple[str, ...] = ()) -> RegisteredVersion:
    return RegisteredVersion(version.name, int(version.version), version.tags[DIGEST_TAG], version.run_id, aliases)


def _list_of(known: list[str] | list[int]) -> str:
    return ", ".join(str(each) for each in known) or "-"
