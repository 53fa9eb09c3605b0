"""The service put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI

from andon.models.alerts.case import AlertPolicy
from andon.models.messages.catalogue import catalogue
from andon.models.monitoring.watch import Machines
from andon.models.types.vibration import Machine
from andon.serving.api.bundles import BundleEndpoints
from andon.serving.api.inspections import InspectionEndpoints
from andon.serving.api.open_inference import OpenInferenceEndpoints
from andon.serving.api.operations import install_docs, metrics_router
from andon.serving.api.problems import Problems
from andon.serving.api.service import Service, ServiceOptions, Texts
from andon.serving.api.signals import SignalEndpoints
from andon.serving.engine.engine import Engine
from andon.serving.engine.keeping import keeping
from andon.serving.engine.metrics import Metrics
from andon.serving.engine.remembered import NOTHING, recall_signals
from andon.serving.engine.repository import ModelRepository
from andon.serving.engine.signals import SignalDesk
from andon.serving.engine.watching import watching

DEFAULTS = ServiceOptions()


def create_app(
    repository: ModelRepository,
    texts: Texts = catalogue,
    options: ServiceOptions = DEFAULTS,
    machines: Machines = Machine,
    remembering: Path | None = None,
) -> FastAPI:
    """Make the application that serves ``repository``.

    Its lifespan loads the bundles before the first request, watches their folder, and ends the threads.

    Parameters
    ----------
    texts
        Gives the catalogue of a language.
    machines
        Tells what is known of an asset; its name alone by default.
    remembering
        The file that keeps each machine's health and open case, so that a restart changes no decision; None to remember
        them while the service runs.

    Raises
    ------
    ResourceError
        That file cannot be used, nor put aside.
    """
    metrics = Metrics(repository.models)
    service = Service(repository, Engine(options.threads, metrics.observe), metrics, texts, options)
    remembered = recall_signals(remembering) if remembering else NOTHING
    desk = SignalDesk(machines, lambda: [model.digest for model in repository.models()], AlertPolicy(), remembered)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        kept = keeping(desk, remembering, options.remember_seconds) if remembering else nullcontext()
        async with watching(repository, options.poll_seconds), kept:
            yield
            service.engine.close()

    app = FastAPI(title="Andon", version=version("andon"), lifespan=lifespan, docs_url=None, redoc_url=None)
    endpoints_of_all = (
        InspectionEndpoints(service),
        SignalEndpoints(service, desk),
        BundleEndpoints(service),
        OpenInferenceEndpoints(service),
    )
    for endpoints in endpoints_of_all:
        app.include_router(endpoints.router())
    app.include_router(metrics_router(metrics))
    install_docs(app)
    Problems(texts).install(app)
    return app
