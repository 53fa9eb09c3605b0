"""Recipes: what a station runs, fixed for good under the digest of what it says."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Row, select

from andon.datasets.store.database import Database
from andon.datasets.store.schema import recipes, stations
from andon.datasets.store.upserts import insert_missing
from andon.models.ledger.canonical import encode
from andon.models.types.errors import DataError, NotFoundError


class Recipes:
    """Keeps recipes. One that says something else is another one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self, name: str, station: str | None, document: Mapping[str, Any], bundle_digest: str, now: datetime
    ) -> str:
        """Keep a recipe, and return its digest: SHA-256 of the canonical JSON (RFC 8785) of all that it says.

        Raises
        ------
        DataError
            It holds what canonical JSON does not, such as a whole number beyond 2**53.
        """
        said = {"name": name, "station": station, "bundle_digest": bundle_digest, "document": dict(document)}
        try:
            contents = encode(said)
        except (ValueError, RecursionError) as error:
            raise DataError("store.recipe", name, reason=str(error)) from error
        digest = sha256(contents).hexdigest()
        row = {"digest": digest, "name": name, "station": station, "bundle_digest": bundle_digest}
        with self._database.writing() as connection:
            if station:
                insert_missing(connection, stations, {station: {"name": station}})
            insert_missing(connection, recipes, {digest: {**row, "created": now, "document": contents}})
        return digest

    def get(self, digest: str) -> dict[str, Any]:
        """Find a recipe.

        Raises
        ------
        NotFoundError
            There is none.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(recipes).where(recipes.c.digest == digest)).first()
        if row is None:
            raise NotFoundError("store.no_recipe", digest)
        return _document(row)

    def all(self) -> list[dict[str, Any]]:
        """List all recipes, the latest first."""
        with self._database.reading() as connection:
            found = connection.execute(select(recipes).order_by(recipes.c.created.desc(), recipes.c.digest))
            return [_document(row) for row in found]


def _document(row: Row[Any]) -> dict[str, Any]:
    return {"digest": row.digest, "created": row.created, **msgspec.json.decode(row.document)}
