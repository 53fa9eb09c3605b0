"""The service put together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

from fastapi import APIRouter, FastAPI

from andon.datasets.condition.desk import SignalDesk
from andon.datasets.store.condition_chain import OwnChain
from andon.datasets.store.conditions import UNTOLD, Conditions, Teller
from andon.datasets.store.opening import Store
from andon.models.alerts.case import AlertPolicy
from andon.models.messages.catalogue import catalogue
from andon.models.monitoring.watch import Machines
from andon.models.types.vibration import Machine
from andon.serving.api.alerts import AlertEndpoints
from andon.serving.api.assets import AssetEndpoints
from andon.serving.api.bundles import BundleEndpoints
from andon.serving.api.edge import EdgeEndpoints
from andon.serving.api.events import EventEndpoints
from andon.serving.api.health import HealthEndpoints
from andon.serving.api.inspections import InspectionEndpoints
from andon.serving.api.ledger import LedgerEndpoints
from andon.serving.api.open_inference import OpenInferenceEndpoints
from andon.serving.api.operations import install_docs, metrics_router
from andon.serving.api.parts import PartEndpoints
from andon.serving.api.places import PlaceEndpoints
from andon.serving.api.problems import Problems
from andon.serving.api.reports import ReportEndpoints
from andon.serving.api.scoring import ScoringEndpoints
from andon.serving.api.service import Service, ServiceOptions, Texts
from andon.serving.api.signals import SignalEndpoints
from andon.serving.engine.announcing import Announcer
from andon.serving.engine.archive import Archive
from andon.serving.engine.broadcast import Broadcast
from andon.serving.engine.engine import Engine
from andon.serving.engine.housekeeping import housekeeping
from andon.serving.engine.listening import listening
from andon.serving.engine.metrics import Metrics
from andon.serving.engine.repository import ModelRepository
from andon.serving.engine.watching import watching
from andon.serving.security.endpoints import AccountEndpoints
from andon.serving.security.guard import Guard
from andon.serving.security.options import SecurityOptions
from andon.serving.security.security import Security, make_security
from andon.serving.security.single_sign_on import SingleSignOn
from andon.serving.tracing import NO_TRACING, Tracing

DEFAULTS = ServiceOptions()
AT_THIS_MACHINE = SecurityOptions(is_loopback=True)
RULES = AlertPolicy()
"""When alerts are given where no health model says it."""


class Endpoints(Protocol):
    """Some of the service's routes."""

    def router(self) -> APIRouter:
        """Make the routes."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the service works with beside its models and its store.

    Parameters
    ----------
    texts
        Gives the catalogue of a language.
    machines
        Tells what is known of an asset; its name alone by default.
    teller
        Tells people of alerts.
    tracing
        Where traces go.
    beside
        What runs as long as the service does.
    """

    texts: Texts = catalogue
    machines: Machines = Machine
    teller: Teller = UNTOLD
    tracing: Tracing = NO_TRACING
    beside: Sequence[AbstractAsyncContextManager[object]] = ()


ALONE = Surroundings()


def create_app(
    repository: ModelRepository,
    store: Store,
    options: ServiceOptions = DEFAULTS,
    guarded: SecurityOptions = AT_THIS_MACHINE,
    around: Surroundings = ALONE,
) -> FastAPI:
    """Make the application that serves ``repository``.

    Its lifespan loads the bundles before the first request, watches their folder, and ends the threads.

    Parameters
    ----------
    store
        Where everything is kept; its database has its tables.
    """
    metrics = Metrics(repository.models)
    engine = Engine(options.threads, around.tracing.observing(metrics.observe), options.limits)
    service = Service(
        repository, engine, Archive(store), Broadcast(), metrics, around.texts, around.tracing.stage, options
    )
    announcer = Announcer(around.teller, service.broadcast)
    conditions = Conditions(store.database, announcer, OwnChain(store.origin))
    security = make_security(store.database, guarded)
    problems = Problems(around.texts)
    app = FastAPI(
        title="Andon",
        version=version("andon"),
        lifespan=_lifespan(service, conditions, around),
        docs_url=None,
        redoc_url=None,
        telemetry=around.tracing.telemetry,
    )
    desk = SignalDesk(around.machines, conditions, RULES)
    for endpoints in _endpoints(service, desk, announcer, security, around.machines):
        app.include_router(endpoints.router())
    app.include_router(metrics_router(metrics))
    install_docs(app)
    problems.install(app)
    app.state.leave = service.broadcast.close
    app.add_middleware(Guard, security=security, answer=problems.andon)
    return app


def _endpoints(
    service: Service, desk: SignalDesk, teller: Teller, security: Security, machines: Machines
) -> Sequence[Endpoints]:
    """All routes; those first that lines and clients call all day, as a route is looked for in this order."""
    oidc = security.options.oidc
    return (
        InspectionEndpoints(service),
        OpenInferenceEndpoints(service),
        SignalEndpoints(service, desk),
        ScoringEndpoints(service),
        PartEndpoints(service),
        AlertEndpoints(service),
        # Reports before assets, whose paths take whatever follows.
        ReportEndpoints(service, machines),
        AssetEndpoints(service, machines),
        EdgeEndpoints(service, teller),
        EventEndpoints(service.broadcast),
        LedgerEndpoints(service),
        PlaceEndpoints(service),
        BundleEndpoints(service),
        HealthEndpoints(service),
        AccountEndpoints(security),
        *([SingleSignOn(security, oidc)] if oidc else []),
    )


def _lifespan(
    service: Service, conditions: Conditions, around: Surroundings
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            running.push_async_callback(asyncio.to_thread, around.tracing.close)
            running.callback(service.archive.close)
            running.callback(service.engine.close)
            for each in around.beside:
                await running.enter_async_context(each)
            await running.enter_async_context(watching(service.repository, service.options.poll_seconds))
            await running.enter_async_context(listening(conditions, RULES, service.options.silence_seconds))
            house = housekeeping(service.archive.store, service.options.keeping, service.options.housekeeping_seconds)
            await running.enter_async_context(house)
            yield

    return lifespan
