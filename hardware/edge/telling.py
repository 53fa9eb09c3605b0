"""Tell others what the stations found: a broker, a Sparkplug host, the service. Each keeps what it has not told yet."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from andon.datasets.store.opening import Store
from andon.hardware.edge.config.plans import BrokerPlan, EdgeConfig, SparkplugPlan, UploadPlan
from andon.hardware.edge.records import Listener
from andon.hardware.edge.upload import Progress, Uploader
from andon.hardware.messaging.documents import StationVerdict, verdict_message
from andon.hardware.messaging.edge_node import NodeName
from andon.hardware.messaging.metrics import INSPECTION, unknown, verdict_metrics
from andon.hardware.messaging.outbox import Kind, Outbox
from andon.hardware.messaging.publisher import Publisher
from andon.hardware.messaging.sparkplug_client import EdgeNode, EdgeNodeSettings

MQTT_OUTBOX, SPARKPLUG_OUTBOX, SPARKPLUG_NUMBER = "mqtt.db", "sparkplug.db", "sparkplug.bdseq"


@dataclass(frozen=True, slots=True)
class Tellers:
    """Who is told, and how far that is.

    Parameters
    ----------
    listeners
        To be told of each part.
    upload
        Says how far the upload is; None where there is none.
    failures
        By the name of a broker's client, why it tells nothing now; None while it does.
    """

    listeners: Sequence[Listener] = ()
    upload: Callable[[], Progress] | None = None
    failures: Callable[[], dict[str, str | None]] = dict

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
        if config.mqtt and config.broker:
            publisher = running.enter_context(_publisher(config, config.broker, home, running))
            clients["mqtt"] = publisher
            listeners.append(partial(_publish, publisher, config.mqtt.site or config.box.box))
        if config.sparkplug and config.broker:
            node = running.enter_context(_edge_node(config, config.broker, config.sparkplug, home, running))
            clients["sparkplug"] = node
            listeners.append(partial(_report, node))
        uploader = running.enter_context(_uploader(config.upload, config.folder, store)) if config.upload else None
        if uploader:
            listeners.append(lambda _verdict: uploader.wake())
        yield Tellers(
            listeners,
            uploader.progress if uploader else None,
            lambda: {name: client.failure for name, client in clients.items()},
        )


def _publish(publisher: Publisher, site: str, verdict: StationVerdict) -> None:
    publisher.publish([verdict_message(site, verdict)])


def _report(node: EdgeNode, verdict: StationVerdict) -> None:
    node.report(verdict.id, Kind.VERDICT, verdict.station, verdict_metrics(verdict))


def _publisher(config: EdgeConfig, broker: BrokerPlan, home: Path, running: ExitStack) -> Publisher:
    outbox = running.enter_context(Outbox(home / MQTT_OUTBOX))
    return Publisher(outbox, broker.settings(config.folder, f"andon-{config.box.box}"))


def _edge_node(config: EdgeConfig, broker: BrokerPlan, plan: SparkplugPlan, home: Path, running: ExitStack) -> EdgeNode:
    outbox = running.enter_context(Outbox(home / SPARKPLUG_OUTBOX))
    name = NodeName(plan.group, plan.node or config.box.box)
    settings = EdgeNodeSettings(name, home / SPARKPLUG_NUMBER, plan.primary_host)
    devices = {station.name: unknown(INSPECTION) for station in config.stations}
    return EdgeNode(outbox, broker.settings(config.folder, f"andon-{config.box.box}-sparkplug"), settings, devices)


def _uploader(plan: UploadPlan, folder: Path, store: Store) -> Uploader:
    return Uploader(store, plan.service(folder), plan.files)
