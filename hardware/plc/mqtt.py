"""A station and a PLC that talk by MQTT: two JSON documents, each retained by the broker and sent at least once (QoS 1).

``<prefix>/in`` is what the PLC says and ``<prefix>/out`` what the station says, with the fields of ``LineInputs`` and ``LineOutputs``. A document
holds all of it, so that its values and flags always belong together. ``online`` is false once the connection of who wrote it has ended: the
station has the broker say so as its last will, and a PLC should.
"""

import socket
import ssl
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from andon.hardware.plc.inbox import Inbox
from andon.hardware.plc.registers import readable_serial
from andon.models.types.errors import OptionError
from andon.models.types.line import COUNTS, LineInputs, LineLostError, LineOutputs

SCHEMA_VERSION = 1
PORT, TLS_PORT = 1883, 8883
QOS = 1
_RETRY_S, _LONGEST_RETRY_S = 1, 2
_DOCUMENT_BYTES = 4096

Count = Annotated[int, msgspec.Meta(ge=0, lt=COUNTS)]


class InDocument(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the PLC says."""

    schema_version: Annotated[int, msgspec.Meta(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)]
    online: bool = True
    trigger: bool = False
    trigger_count: Count = 0
    results_ack: bool = False
    recipe: Count = 0
    serial: str = ""

    def inputs(self) -> LineInputs:
        """The same as everywhere: values only under a trigger."""
        if not self.trigger:
            return LineInputs(results_ack=self.results_ack)
        return LineInputs(True, self.trigger_count, self.results_ack, self.recipe, readable_serial(self.serial))


class MqttLink:
    """A ``LineLink`` over a broker.

    Parameters
    ----------
    host, port
        The broker's; None: 8883 with TLS, 1883 without.
    prefix
        What the two topics begin with, such as ``andon/north/station-1``.
    user, password
        What the station logs in by.
    tls
        Whether the connection is encrypted.
    ca_file
        PEM file of who the broker's certificate must come from; None: those that the system trusts.
    certificate, private_key
        PEM files of a certificate of the station's own.
    keepalive_s
        A broker that is silent for one and a half times as long counts as away.
    timeout_s
        The longest that an attempt to connect may take.

    Raises
    ------
    OptionError
        A prefix that is no topic, or certificates that cannot be read or come without ``tls``.
    """

    def __init__(
        self,
        *,
        host: str,
        prefix: str,
        port: int | None = None,
        user: str | None = None,
        password: str | None = None,
        tls: bool = False,
        ca_file: str | None = None,
        certificate: str | None = None,
        private_key: str | None = None,
        keepalive_s: int = 2,
        timeout_s: float = 2.0,
    ) -> None:
        self._host = host
        self._port = port or (TLS_PORT if tls else PORT)
        self._address = f"mqtt://{self._host}:{self._port}/{prefix}"
        if not prefix or set(prefix) & set("+#\0"):
            raise OptionError("plc.topic", self._address, found=prefix)
        self._in, self._out = f"{prefix}/in", f"{prefix}/out"
        self._keepalive_s = keepalive_s
        self._told: LineOutputs | None = None
        self._inbox = Inbox(self._lost("plc.no_broker"))
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.connect_timeout = timeout_s
        self._client.reconnect_delay_set(_RETRY_S, _LONGEST_RETRY_S)
        self._client.will_set(self._out, _document(online=False), QOS, retain=True)
        self._client.on_socket_open = _send_at_once
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._heard
        if user is not None:
            self._client.username_pw_set(user, password)
        if tls:
            self._client.tls_set_context(_context(self._address, ca_file, certificate, private_key))
        elif ca_file or certificate or private_key:
            raise OptionError("plc.tls_off", self._address)

    def __enter__(self) -> Self:
        """Begin to connect; it goes on by itself until it succeeds, and begins again when the broker is lost."""
        self._client.connect_async(self._host, self._port, self._keepalive_s)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say that the station is gone, and end the connection."""
        if self._client.is_connected():
            self._client.publish(self._out, _document(online=False), QOS, retain=True)
        self._client.disconnect()
        self._client.loop_stop()

    def read(self, wait_s: float) -> LineInputs:
        """Return what the PLC says; see ``LineLink``. It counts as away until it has said something."""
        return self._inbox.take(wait_s)

    def write(self, outputs: LineOutputs) -> None:
        """Publish what the PLC is to read; see ``LineLink``."""
        if outputs != self._told and self._client.is_connected():
            self._told = outputs
            self._client.publish(self._out, _document(online=True, **asdict(outputs)), QOS, retain=True)
        self._inbox.check()

    def _connected(self, client: Client, _data: object, _flags: object, code: Any, _more: object) -> None:
        if code.is_failure:
            self._inbox.put(self._lost("plc.broker_refuses", reason=str(code)))
            return
        self._told = None
        self._inbox.put(self._lost("plc.no_document"))
        client.subscribe(self._in, QOS)

    def _disconnected(self, *_: object) -> None:
        self._inbox.put(self._lost("plc.no_broker"))

    def _heard(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self._inbox.put(self._read(message.payload))

    def _read(self, payload: bytes | bytearray) -> LineInputs | LineLostError:
        try:
            document = msgspec.json.decode(payload[:_DOCUMENT_BYTES], type=InDocument)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return self._lost("plc.document", reason=str(error))
        return document.inputs() if document.online else self._lost("plc.offline")

    def _lost(self, code: str, **params: str) -> LineLostError:
        return LineLostError(code, self._address, **params)


def _send_at_once(_client: Client, _data: object, connection: Any) -> None:
    """Do not let the system gather small packets: waiting for the broker's acknowledgement of the one before takes 40 ms."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _document(**said: Any) -> bytes:
    return msgspec.json.encode({"schema_version": SCHEMA_VERSION, **said})


def _context(address: str, ca_file: str | None, certificate: str | None, private_key: str | None) -> ssl.SSLContext:
    for name in (ca_file, certificate, private_key):
        if name is not None and not Path(name).is_file():
            raise OptionError("plc.certificate", address, found=name, reason="no such file")
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if certificate is not None:
            context.load_cert_chain(certificate, private_key)
    except ssl.SSLError as error:
        raise OptionError("plc.certificate", address, found=certificate or ca_file or "", reason=str(error)) from error
    return context
