"""The service put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from andon.datasets.store.conditions import Conditions
from andon.datasets.store.opening import Store
from andon.models.alerts.case import AlertPolicy
from andon.models.messages.catalogue import catalogue
from andon.models.monitoring.watch import Machines
from andon.models.types.vibration import Machine
from andon.serving.api.alerts import AlertEndpoints
from andon.serving.api.bundles import BundleEndpoints
from andon.serving.api.inspections import InspectionEndpoints
from andon.serving.api.open_inference import OpenInferenceEndpoints
from andon.serving.api.operations import install_docs, metrics_router
from andon.serving.api.parts import PartEndpoints
from andon.serving.api.problems import Problems
from andon.serving.api.service import Service, ServiceOptions, Texts
from andon.serving.api.signals import SignalEndpoints
from andon.serving.engine.archive import Archive
from andon.serving.engine.broadcast import Broadcast
from andon.serving.engine.engine import Engine
from andon.serving.engine.metrics import Metrics
from andon.serving.engine.repository import ModelRepository
from andon.serving.engine.signals import SignalDesk
from andon.serving.engine.watching import watching

DEFAULTS = ServiceOptions()


def create_app(
    repository: ModelRepository,
    store: Store,
    texts: Texts = catalogue,
    options: ServiceOptions = DEFAULTS,
    machines: Machines = Machine,
) -> FastAPI:
    """Make the application that serves ``repository``.

    Its lifespan loads the bundles before the first request, watches their folder, and ends the threads.

    Parameters
    ----------
    store
        Where everything is kept; its database has its tables.
    texts
        Gives the catalogue of a language.
    machines
        Tells what is known of an asset; its name alone by default.
    """
    metrics = Metrics(repository.models)
    archive = Archive(store)
    engine = Engine(options.threads, metrics.observe, options.limits)
    service = Service(repository, engine, archive, Broadcast(), metrics, texts, options)
    desk = SignalDesk(machines, Conditions(store.database), AlertPolicy())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with watching(repository, options.poll_seconds):
            yield
            engine.close()
            archive.close()

    app = FastAPI(title="Andon", version=version("andon"), lifespan=lifespan, docs_url=None, redoc_url=None)
    endpoints_of_all = (
        InspectionEndpoints(service),
        SignalEndpoints(service, desk),
        PartEndpoints(service),
        AlertEndpoints(service),
        BundleEndpoints(service),
        OpenInferenceEndpoints(service),
    )
    for endpoints in endpoints_of_all:
        app.include_router(endpoints.router())
    app.include_router(metrics_router(metrics))
    install_docs(app)
    Problems(texts).install(app)
    return app
