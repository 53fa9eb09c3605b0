"""What the endpoints share."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from andon.datasets.store.retention import KeepingRules
from andon.models.messages.catalogue import Catalogue
from andon.serving.engine.archive import Archive
from andon.serving.engine.broadcast import Broadcast
from andon.serving.engine.engine import DEFAULT_LIMITS, Engine, Limits
from andon.serving.engine.metrics import Metrics
from andon.serving.engine.repository import ModelRepository
from andon.serving.security.grades import Grade

KEEPING = KeepingRules()

Texts = Callable[[str], Catalogue]
"""Gives the catalogue of a language."""


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How to serve.

    Parameters
    ----------
    threads
        Inspections that run at once.
    poll_seconds
        How often the bundle folder is looked at.
    max_body_bytes
        The largest body that is taken, before and after decompression.
    remembered_replies
        Replies kept for requests that are sent again under the same ``Idempotency-Key``.
    keeping, housekeeping_seconds
        How long images and waveforms are kept, and how often those are let go that no longer are.
    silence_seconds
        How often sensors are looked for from which nothing comes any more.
    grade
        Of what is kept: it decides who may take images, waveforms and the ledger with them.
    limits
        How many requests may wait, and how long one may take.
    """

    threads: int = os.cpu_count() or 1
    poll_seconds: float = 1.0
    max_body_bytes: int = 64 << 20
    remembered_replies: int = 1024
    keeping: KeepingRules = KEEPING
    housekeeping_seconds: float = 6 * 3600.0
    silence_seconds: float = 60.0
    grade: Grade = Grade.INTERNAL
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Service:
    """Everything an endpoint may call on.

    ``stage`` makes a span in the request's trace.
    """

    repository: ModelRepository
    engine: Engine
    archive: Archive
    broadcast: Broadcast
    metrics: Metrics
    texts: Texts
    stage: Callable[[str], AbstractContextManager[None]]
    options: ServiceOptions
