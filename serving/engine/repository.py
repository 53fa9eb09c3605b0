"""The models that are served: loaded from a folder of bundles, swapped when a bundle changes."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import TypeVar

from andon.models.bundle.runtime import LoadedBundle, load_bundle
from andon.models.types.errors import AndonError, ResourceError
from andon.serving.engine.errors import RequestError, UnknownModelError
from andon.serving.engine.folder import Fingerprint, find_bundles, fingerprint
from andon.serving.engine.models import Model, served

logger = logging.getLogger(__name__)

ModelKind = TypeVar("ModelKind", bound=Model)

Load = Callable[[Path], LoadedBundle]
"""Reads and checks the bundle at a path; raises ``AndonError`` where it cannot be used."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the repository knows of one name.

    Parameters
    ----------
    seen
        The bundle on disk when it was last loaded or refused.
    model
        What serves, or None.
    refusal
        Why the bundle on disk does not serve, or None.
    unloaded
        It was taken out of service by request, and stays out until it is loaded by request.
    """

    name: str
    path: Path
    seen: Fingerprint
    model: Model | None = None
    refusal: AndonError | None = None
    unloaded: bool = False


class ModelRepository:
    """Models by name. Safe to use from several threads at once; readers never wait for a load.

    Parameters
    ----------
    folder
        Holds a bundle per model: ``NAME/`` or ``NAME.andon``.
    load
        Reads and checks a bundle.
    """

    def __init__(self, folder: Path, load: Load = load_bundle) -> None:
        self._folder = folder
        self._load = load
        self._writing = Lock()
        self._entries: Mapping[str, Entry] = MappingProxyType({})
        self._missing: frozenset[str] = frozenset()

    def entries(self) -> list[Entry]:
        """List every name in order, with or without a model that serves."""
        return sorted(self._entries.values(), key=lambda entry: entry.name)

    def models(self) -> list[Model]:
        """List the models that serve, in order of name."""
        return [entry.model for entry in self.entries() if entry.model]

    def entry(self, name: str) -> Entry:
        """Find an entry.

        Raises
        ------
        UnknownModelError
            There is none of that name.
        """
        if name not in self._entries:
            raise UnknownModelError("serving.model_unknown", name, known=_listed(self._entries))
        return self._entries[name]

    def model(self, name: str, version: str | None = None) -> Model:
        """Find the model that serves under ``name``.

        Raises
        ------
        UnknownModelError
            None does, or it is of another version.
        """
        model = self.entry(name).model
        if model is None:
            raise UnknownModelError("serving.model_not_loaded", name)
        if version not in (None, model.version):
            raise UnknownModelError("serving.version_unknown", name, found=version or "", expected=model.version)
        return model

    def models_of(self, kind: type[ModelKind]) -> list[ModelKind]:
        """List the models of one kind that serve, such as ``ServedInspector``, in order of name."""
        return [model for model in self.models() if isinstance(model, kind)]

    def model_of(self, kind: type[ModelKind], name: str | None) -> ModelKind:
        """Find the model of one kind that serves under ``name``, or the only one of that kind where no name is given.

        Raises
        ------
        UnknownModelError
            None serves under that name; or no name is given, and not exactly one model of that kind serves.
        RequestError
            The model of that name is of another kind.
        """
        if name is None:
            return self._only_model_of(kind)
        model = self.model(name)
        if not isinstance(model, kind):
            known = _listed(each.name for each in self.models_of(kind))
            raise RequestError("serving.model_kind", name, found=model.manifest.label, known=known)
        return model

    def _only_model_of(self, kind: type[ModelKind]) -> ModelKind:
        models = self.models_of(kind)
        if len(models) != 1:
            names = _listed(model.name for model in models)
            raise UnknownModelError("serving.model_needed", "model", count=len(models), known=names)
        return models[0]

    def poll(self) -> None:
        """Load what is new or changed on disk, and drop what is gone.

        A bundle that cannot be used is noted with its reason; what served before goes on, and so do the others.
        """
        with self._writing:
            try:
                found = self._find()
            except ResourceError as error:
                # A folder that cannot be read now is no reason to stop serving what was read from it.
                logger.warning("bundle folder unreadable", extra={"fields": {"reason": str(error)}})
                return
            for name, path in found.items():
                self._refresh(name, path)
            self._drop_missing(found)

    def load(self, name: str) -> Model:
        """Load the bundle of ``name`` again, whether it changed or not, and put it into service.

        Raises
        ------
        UnknownModelError
            No bundle of that name is in the folder.
        AndonError
            It cannot be used, or the folder cannot be read; what served before goes on.
        """
        with self._writing:
            found = self._find()
            if name not in found:
                raise UnknownModelError("serving.model_unknown", name, known=_listed(found))
            loaded = self._loaded(name, found[name])
            self._put(loaded)
        if loaded.refusal:
            raise loaded.refusal
        return self.model(name)

    def unload(self, name: str) -> None:
        """Take ``name`` out of service until it is loaded by request.

        Raises
        ------
        UnknownModelError
            There is no entry of that name.
        """
        with self._writing:
            self._put(replace(self.entry(name), model=None, unloaded=True))

    def _find(self) -> dict[str, Path]:
        try:
            return find_bundles(self._folder)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ResourceError("serving.folder_unreadable", str(self._folder), reason=reason) from error

    def _refresh(self, name: str, path: Path) -> None:
        known = self._entries.get(name)
        changed = known is None or (known.path, known.seen) != (path, fingerprint(path))
        if changed and not (known and known.unloaded):
            self._put(self._loaded(name, path))

    def _loaded(self, name: str, path: Path) -> Entry:
        # Taken before reading: a change meanwhile is found by the next poll.
        seen = fingerprint(path)
        try:
            loaded = self._load(path)
        except AndonError as error:
            logger.warning(
                "bundle refused", extra={"fields": {"model": name, "code": error.code, "reason": str(error)}}
            )
            serving = self._entries[name].model if name in self._entries else None
            return Entry(name, path, seen, serving, error)
        model = served(name, loaded)
        logger.info("bundle loaded", extra={"fields": {"model": name, "bundle_digest": model.digest}})
        return Entry(name, path, seen, model)

    def _drop_missing(self, found: Mapping[str, Path]) -> None:
        missing = frozenset(self._entries.keys() - found.keys())
        # Twice in a row: where a file system cannot exchange two names at once, a bundle is away for a moment.
        gone = missing & self._missing
        self._missing = missing - gone
        if gone:
            self._entries = MappingProxyType({name: each for name, each in self._entries.items() if name not in gone})
            logger.warning("bundles removed", extra={"fields": {"models": sorted(gone)}})

    def _put(self, entry: Entry) -> None:
        self._entries = MappingProxyType({**self._entries, entry.name: entry})


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "-"
