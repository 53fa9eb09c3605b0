"""The bundles that an Andon service serves, over its HTTP interface."""

from urllib.parse import quote

import msgspec

from andon.datasets.registry.http import Server
from andon.datasets.registry.stores import CHAMPION, check_alias, check_name
from andon.models.bundle.bundle import AnyBundle
from andon.models.bundle.storage import MAX_BYTES, unpack_bundle
from andon.models.types.errors import NotFoundError, ResourceError


class _Shown(msgspec.Struct):
    bundle_digest: str | None


class ServiceStore:
    """What a service serves: one bundle a name, which is its champion."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def find(self, name: str, alias: str = CHAMPION) -> str:
        """Ask which bundle serves under a name."""
        path = self._path(name, alias)
        try:
            digest = msgspec.convert(self._server.document(path), _Shown).bundle_digest
        except msgspec.ValidationError as error:
            raise ResourceError("update.store", self._server.address, reason=str(error)) from error
        if digest is None:
            raise NotFoundError("update.unknown", f"{self._server.address}{path}")
        return digest

    def get(self, name: str, alias: str = CHAMPION) -> AnyBundle:
        """Fetch the bundle that serves under a name."""
        path = f"{self._path(name, alias)}/content"
        return unpack_bundle(self._server.fetch(path, MAX_BYTES), f"{self._server.address}{path}")

    def _path(self, name: str, alias: str) -> str:
        check_name(name)
        check_alias(alias)
        if alias != CHAMPION:
            raise NotFoundError("update.champion_only", f"{self._server.address}: {name}@{alias}", expected=CHAMPION)
        return f"/api/v1/bundles/{quote(name, safe='')}"
