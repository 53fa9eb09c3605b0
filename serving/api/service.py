"""What the endpoints share."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from andon.models.messages.catalogue import Catalogue
from andon.serving.engine.engine import Engine
from andon.serving.engine.metrics import Metrics
from andon.serving.engine.repository import ModelRepository

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
    remember_seconds
        The shortest time between two writings of what is remembered of signals: a power cut loses no more.
    """

    threads: int = os.cpu_count() or 1
    poll_seconds: float = 1.0
    max_body_bytes: int = 64 << 20
    remembered_replies: int = 1024
    remember_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Service:
    """Everything an endpoint may call on."""

    repository: ModelRepository
    engine: Engine
    metrics: Metrics
    texts: Texts
    options: ServiceOptions
