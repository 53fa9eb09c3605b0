"""Bundles in MLflow's model registry, over its REST interface: a station needs no mlflow.

A bundle is registered by ``andon registry push``, as a model that MLflow can load. Its signatures stand in a tag of the version: a bundle may be signed
after it was registered, and by another key later, and is pushed again then.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

import msgspec

from andon.datasets.registry.http import Server
from andon.datasets.registry.stores import CHAMPION, check_alias, check_name
from andon.datasets.registry.tags import BUNDLE_IN_MODEL, DIGEST_TAG, SIGNATURE_TAG
from andon.models.bundle.bundle import GOLDEN_FOLDER, AnyBundle, checked_bundle
from andon.models.bundle.storage import MAX_BYTES, is_plain
from andon.models.types.errors import BundleError, NotFoundError, ResourceError

_API = "/api/2.0/mlflow"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_SERVED = re.compile(r"mlflow-artifacts:(?://[^/]*)?/(.+)")
_MAX_FILES = 4096

Document = TypeVar("Document")


class _Tag(msgspec.Struct):
    key: str
    value: str = ""


class _Version(msgspec.Struct):
    name: str
    version: str
    tags: list[_Tag] = []

    def tag(self, key: str) -> str | None:
        return next((each.value for each in self.tags if each.key == key), None)


class _Found(msgspec.Struct):
    model_version: _Version


class _Alias(msgspec.Struct):
    alias: str
    version: str


class _Model(msgspec.Struct):
    name: str
    aliases: list[_Alias] = []


class _Registered(msgspec.Struct):
    registered_model: _Model


class _Place(msgspec.Struct):
    artifact_uri: str


class _File(msgspec.Struct):
    path: str
    is_dir: bool = False


class _Files(msgspec.Struct):
    files: list[_File] = []


class MlflowStore:
    """A registry on an MLflow server that serves its artifacts itself, as ``mlflow server`` does."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def find(self, name: str, alias: str = CHAMPION) -> str:
        """Ask which bundle an alias stands for."""
        return self._digest(self._aliased(name, alias))

    def get(self, name: str, alias: str = CHAMPION) -> AnyBundle:
        """Fetch the bundle of the version that an alias stands for, with the signatures that the version has."""
        version = self._aliased(name, alias)
        digest, subject = self._digest(version), f"{self._server.address}: {name}/{version.version}"
        bundle = checked_bundle(self._contents(version, subject), subject)
        if bundle.digest != digest:
            raise BundleError("update.other", subject, found=bundle.digest[:12], expected=digest[:12])
        signature = version.tag(SIGNATURE_TAG)
        return bundle if signature is None else replace(bundle, signature=signature.encode())

    def _aliased(self, name: str, alias: str) -> _Version:
        check_name(name)
        check_alias(alias)
        model = self._read(f"{_API}/registered-models/get", {"name": name}, _Registered).registered_model
        number = next((each.version for each in model.aliases if each.alias == alias), None)
        if number is None:
            raise NotFoundError("update.unknown", f"{self._server.address}: {name}@{alias}")
        return self._version(name, number)

    def _version(self, name: str, number: str) -> _Version:
        return self._read(f"{_API}/model-versions/get", {"name": name, "version": number}, _Found).model_version

    def _digest(self, version: _Version) -> str:
        digest = version.tag(DIGEST_TAG)
        if digest is None:
            subject = f"{self._server.address}: {version.name}/{version.version}"
            raise NotFoundError("update.no_bundle", subject, expected=DIGEST_TAG)
        return digest

    def _contents(self, version: _Version, subject: str) -> dict[str, bytes]:
        root = f"{self._artifacts(version, subject)}/{BUNDLE_IN_MODEL}"
        contents: dict[str, bytes] = {}
        left = MAX_BYTES
        for name in (*self._names(root, "", subject), *self._names(root, GOLDEN_FOLDER, subject)):
            contents[name] = self._server.fetch(f"{_ARTIFACTS}/{quote(f'{root}/{name}')}", left)
            left -= len(contents[name])
        return contents

    def _artifacts(self, version: _Version, subject: str) -> str:
        query = {"name": version.name, "version": version.version}
        uri = self._read(f"{_API}/model-versions/get-download-uri", query, _Place).artifact_uri
        served = _SERVED.fullmatch(uri)
        if served is None:
            raise ResourceError("update.artifacts", subject, found=uri)
        return served[1].rstrip("/")

    def _names(self, root: str, folder: str, subject: str) -> Iterator[str]:
        """Name the files of one folder of the bundle."""
        query = {"path": f"{root}/{folder}".rstrip("/")}
        listed = self._read(_ARTIFACTS, query, _Files).files
        if len(listed) > _MAX_FILES:
            raise BundleError("bundle.too_large", subject, limit=MAX_BYTES >> 20)
        for each in listed:
            name = f"{folder}/{each.path.rpartition('/')[2]}".lstrip("/")
            if each.is_dir and name == GOLDEN_FOLDER:
                continue
            if each.is_dir or not is_plain(name):
                raise BundleError("bundle.extra_file", f"{subject}/{name}")
            yield name

    def _read(self, path: str, query: dict[str, str], kind: type[Document]) -> Document:
        try:
            return msgspec.convert(self._server.document(path, query), kind)
        except msgspec.ValidationError as error:
            raise ResourceError("update.store", self._server.address, reason=str(error)) from error
