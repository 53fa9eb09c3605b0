"""Tell others what stations and sensors found: a broker, a Sparkplug host, the service. Each keeps what it has not told yet."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from andon.datasets.store.opening import Store
from andon.hardware.edge.config.plans import BrokerPlan, EdgeConfig, SparkplugPlan, UploadPlan
from andon.hardware.edge.listeners import Listener
from andon.hardware.edge.upload import Progress, Uploader
from andon.hardware.messaging.documents import Said, message_of
from andon.hardware.messaging.edge_node import NodeName
from andon.hardware.messaging.metrics import ALERT, INSPECTION, report_of, unknown
from andon.hardware.messaging.outbox import Outbox
from andon.hardware.messaging.publisher import Publisher
from andon.hardware.messaging.sparkplug_client import EdgeNode, EdgeNodeSettings
from andon.models.types.errors import ResourceError

logger = logging.getLogger(__name__)

MQTT_OUTBOX, SPARKPLUG_OUTBOX, SPARKPLUG_NUMBER = "mqtt.db", "sparkplug.db", "sparkplug.bdseq"


def no_matter(_device: str) -> None:
    """Nobody has to know that a device is lost."""


@dataclass(frozen=True, slots=True)
class Tellers:
    """Who is told, and how far that is.

    Parameters
    ----------
    listeners
        To be told of each part, snapshot and alert.
    upload
        Says how far the upload is; None where there is none.
    failures
        By the name of a broker's client, why it tells nothing now; None while it does.
    lost
        To be told of each station and asset that can say nothing now.
    """

    listeners: Sequence[Listener] = ()
    upload: Callable[[], Progress] | None = None
    failures: Callable[[], dict[str, str | None]] = dict
    lost: Callable[[str], None] = no_matter

    def sent(self) -> int | None:
        """The last entry of the ledger that the service has; None where there is no upload."""
        return (self.upload().confirmed or 0) if self.upload else None


@contextmanager
def tellers(config: EdgeConfig, store: Store, home: Path) -> Iterator[Tellers]:
    """Start all that a configuration names, and end it.

    Raises
    ------
    OptionError
        A key, a password or a certificate cannot be read.
    ResourceError
        An outbox cannot be opened.
    """
    with ExitStack() as running:
        listeners: list[Listener] = []
        clients: dict[str, Publisher | EdgeNode] = {}
        lost = no_matter
        if config.mqtt and config.broker:
            publisher = running.enter_context(_publisher(config, config.broker, home, running))
            clients["mqtt"] = publisher
            listeners.append(partial(_publish, publisher, config.mqtt.site or config.box.box))
        if config.sparkplug and config.broker:
            node = running.enter_context(_edge_node(config, config.broker, config.sparkplug, home, running))
            clients["sparkplug"] = node
            listeners.append(partial(_report, node))
            lost = partial(_lose, node)
        uploader = running.enter_context(_uploader(config.upload, config.folder, store)) if config.upload else None
        if uploader:
            listeners.append(lambda _said: uploader.wake())
        yield Tellers(
            listeners,
            uploader.progress if uploader else None,
            lambda: {name: client.failure for name, client in clients.items()},
            lost,
        )


def _publish(publisher: Publisher, site: str, said: Said) -> None:
    publisher.publish([message_of(site, said)])


def _report(node: EdgeNode, said: Said) -> None:
    report = report_of(said)
    node.report(report.id, report.kind, report.device, report.metrics)


def _lose(node: EdgeNode, device: str) -> None:
    try:
        node.lost(device)
    except ResourceError as error:
        logger.warning("loss not told", extra={"fields": {"code": error.code, "reason": str(error)}})


def _publisher(config: EdgeConfig, broker: BrokerPlan, home: Path, running: ExitStack) -> Publisher:
    outbox = running.enter_context(Outbox(home / MQTT_OUTBOX))
    return Publisher(outbox, broker.settings(config.folder, f"andon-{config.box.box}"))


def _edge_node(config: EdgeConfig, broker: BrokerPlan, plan: SparkplugPlan, home: Path, running: ExitStack) -> EdgeNode:
    outbox = running.enter_context(Outbox(home / SPARKPLUG_OUTBOX))
    name = NodeName(plan.group, plan.node or config.box.box)
    settings = EdgeNodeSettings(name, home / SPARKPLUG_NUMBER, plan.primary_host)
    assets = {asset: unknown(ALERT) for asset in config.assets}
    devices = {**assets, **{station.name: unknown(INSPECTION) for station in config.stations}}
    return EdgeNode(outbox, broker.settings(config.folder, f"andon-{config.box.box}-sparkplug"), settings, devices)


def _uploader(plan: UploadPlan, folder: Path, store: Store) -> Uploader:
    return Uploader(store, plan.service(folder), plan.files)
