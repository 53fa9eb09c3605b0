"""A connection to an MQTT broker."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from andon.models.types.errors import InputError

VERSIONS = {"3.1.1": MQTTv311, "5": MQTTv5}


class BrokerSettingError(InputError):
    """A setting of a broker, or of what is told to it, cannot be used."""


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where a broker is and how to reach it.

    Parameters
    ----------
    client_id
        Unique at the broker, which throws out whoever has it already.
    tls
        Trusted certificates and an own one; None for a connection that is not encrypted.
    version
        Of the protocol, one of ``VERSIONS``. With 5 a broker says what it does not let through; with 3.1.1 it confirms that and drops it.
    keepalive_s
        A broker that says nothing for one and a half times as long counts as lost, and so does this client to the broker.
    timeout_s
        How long a connection may take to come about, and a broker to confirm.
    """

    host: str
    port: int
    client_id: str
    tls: ssl.SSLContext | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    version: str = "5"
    keepalive_s: int = 15
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.host or not 0 < self.port < 1 << 16:
            raise BrokerSettingError("messaging.address", "broker", found=f"{self.host}:{self.port}")
        if self.version not in VERSIONS:
            known = ", ".join(VERSIONS)
            raise BrokerSettingError("messaging.version", self.host, found=self.version, known=known)


def tls_context(authority: Path | None, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Read the certificates of an encrypted connection.

    Parameters
    ----------
    authority
        PEM file of whom to trust; None for whom the system trusts.
    certificate, key
        PEM files of this client, where the broker asks for them.

    Raises
    ------
    BrokerSettingError
        A file cannot be read or holds something else.
    """
    try:
        context = ssl.create_default_context(cafile=authority)
        if certificate:
            context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        subject = str(certificate or authority)
        raise BrokerSettingError("messaging.certificate", subject, reason=error.strerror or str(error)) from error
    return context


def new_client(settings: BrokerSettings) -> Client:
    """Make a client for one connection: it does not reconnect by itself, and the broker keeps nothing of it."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        settings.client_id,
        protocol=VERSIONS[settings.version],
        reconnect_on_failure=False,
    )
    client.connect_timeout = settings.timeout_s
    if settings.tls:
        client.tls_set_context(settings.tls)
    if settings.user is not None:
        client.username_pw_set(settings.user, settings.password)
    return client
