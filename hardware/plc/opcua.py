"""A station as OPC UA server, with the states of OPC 40100-1.

Nodes are found by their string identifiers: ``In.<Name>`` for what a PLC writes, ``Out.<Name>`` for what it reads, with the fields of
``LineInputs`` and ``LineOutputs`` in OPC UA's spelling, such as ``Out.ResultsReady``; ``VisionStateMachine.CurrentState`` and
``AutomaticMode.CurrentState``; and the method ``StartSingleJob``, which writes count, recipe, serial and trigger in one go.
"""

import asyncio
import hmac
import socket
from collections.abc import Iterator
from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from asyncua import ua
from asyncua.common.callback import CallbackType
from asyncua.common.methods import uamethod
from asyncua.common.node import Node
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from asyncua.ua import status_codes
from asyncua.ua.uaerrors import UaError

from andon.hardware.plc.inbox import Inbox
from andon.hardware.plc.loop_thread import LoopThread
from andon.hardware.plc.registers import readable_serial
from andon.hardware.plc.vision_states import (
    AUTOMATIC_STATES,
    STATE_NUMBERS,
    VisionState,
    path,
    state_of,
    top_level,
)
from andon.models.types.errors import OptionError, ResourceError
from andon.models.types.line import COUNTS, LineInputs, LineLostError, LineOutputs

NAMESPACE = "urn:andon:line:1"
"""Namespace of the nodes; its number is raised whenever one gets another name, type or meaning."""

APPLICATION_URI = "urn:andon:station"
"""Has to stand in the certificate as well."""

_STATUS = status_codes.StatusCodes
_LOOK_S = 0.05
_KEEPALIVE_S, _KEEPALIVES = 1, 2
_RESULT_FLAGS = ("results_ready", "error", "ng", "ok")
"""In the order in which they are taken back; they are set the other way round."""

_FLAGS = (*_RESULT_FLAGS, "busy", "trigger_ready")
_TYPES = {
    "trigger": ua.VariantType.Boolean,
    "results_ack": ua.VariantType.Boolean,
    "serial": ua.VariantType.String,
    "score": ua.VariantType.Float,
    "threshold": ua.VariantType.Float,
} | dict.fromkeys(_FLAGS, ua.VariantType.Boolean)
"""Types of the variables; the others are ``UInt16``."""


class OpcUaLink:
    """A ``LineLink`` that OPC UA clients connect to; every one of them may write what a PLC says.

    Parameters
    ----------
    host, port
        Where it listens.
    certificate, private_key
        PEM or DER files, with which clients may connect under Basic256Sha256, signed and encrypted.
    trusted_folder
        Certificates of the clients that may come, or of who issued them; None lets in every client that encrypts.
    user, password
        What clients have to log in by; None lets in those who do not.
    allow_unencrypted
        Whether connections that are neither signed nor encrypted may come from elsewhere than this box.

    Raises
    ------
    OptionError
        It is to listen for others than this box with neither certificate nor ``allow_unencrypted``, or a certificate has no key or no file.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 4840,
        certificate: str | None = None,
        private_key: str | None = None,
        trusted_folder: str | None = None,
        user: str | None = None,
        password: str | None = None,
        allow_unencrypted: bool = False,
    ) -> None:
        self._address = f"opc.tcp://{host}:{port}"
        self._host, self._port = host, port
        self._files = _files(certificate, private_key, self._address)
        self._trusted_folder = trusted_folder
        self._is_open = allow_unencrypted or _is_loopback(host)
        if not (self._files or self._is_open):
            raise OptionError("plc.unencrypted", self._address)
        self._users = _Users(user, password)
        self._lost = LineLostError("plc.no_client", self._address)
        self._inbox = Inbox(self._lost)
        self._told: LineOutputs | None = None
        self._state = VisionState.PREOPERATIONAL
        self._nodes: dict[str, Node] = {}
        self._server: Server | None = None
        self._thread: LoopThread | None = None

    def __enter__(self) -> Self:
        """Listen. Raises ``ResourceError`` where that address or a file cannot be used."""
        self._told, self._state = None, VisionState.PREOPERATIONAL
        thread = LoopThread("opc ua server")
        try:
            thread.run(self._start(), timeout_s=60.0)
        except (OSError, ValueError, UaError) as error:
            thread.stop()
            raise ResourceError("plc.listen", self._address, reason=str(error)) from error
        self._thread = thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all connections."""
        if self._thread and self._server:
            self._thread.stop(self._server.stop())
            self._thread = self._server = None

    def read(self, wait_s: float) -> LineInputs:
        """Return what the PLC says; see ``LineLink``."""
        return self._inbox.take(wait_s)

    def write(self, outputs: LineOutputs) -> None:
        """Put out what the PLC is to read; see ``LineLink``."""
        if self._thread and outputs != self._told:
            self._thread.run(self._tell(self._told, outputs))
            self._told = outputs
        self._inbox.check()

    async def _start(self) -> None:
        server = Server(user_manager=self._users)
        await server.init()
        server.set_endpoint(f"{self._address}/andon")
        server.set_server_name("Andon")
        await server.set_application_uri(APPLICATION_URI)
        server.set_identity_tokens(self._users.tokens)
        await self._secure(server)
        await self._build(server)
        server.subscribe_server_callback(CallbackType.PostWrite, self._written)
        await server.start()
        self._server = server
        self._watch = asyncio.create_task(self._watch_clients(server))

    async def _secure(self, server: Server) -> None:
        policies = [ua.SecurityPolicyType.NoSecurity] if self._is_open else []
        if self._files:
            await server.load_certificate(self._files[0])
            await server.load_private_key(self._files[1])
            policies.append(ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt)
        server.set_security_policy(policies, permission_ruleset=_ruleset())
        if self._trusted_folder:
            store = TrustStore([Path(self._trusted_folder)], [])
            await store.load()
            options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_CLIENT
            server.set_certificate_validator(CertificateValidator(options, store))

    async def _build(self, server: Server) -> None:
        space = await server.register_namespace(NAMESPACE)
        system = await server.nodes.objects.add_object(_id("VisionSystem", space), f"{space}:VisionSystem")
        for side, values in (("In", LineInputs()), ("Out", LineOutputs())):
            folder = await system.add_object(_id(side, space), f"{space}:{side}")
            for field in fields(values):
                name = f"{side}.{spelled(field.name)}"
                variant = _variant(field.name, getattr(values, field.name))
                self._nodes[name] = await folder.add_variable(
                    _id(name, space), f"{space}:{spelled(field.name)}", variant
                )
                if side == "In":
                    await self._nodes[name].set_writable()
        for machine in ("VisionStateMachine", "AutomaticMode"):
            await self._build_machine(system, space, machine)
        await self._show_state(self._state)
        arguments = [
            _argument("TriggerCount", "trigger_count"),
            _argument("Recipe", "recipe"),
            _argument("Serial", "serial"),
        ]
        await system.add_method(_id("StartSingleJob", space), f"{space}:StartSingleJob", self._start_job, arguments)

    async def _build_machine(self, system: Node, space: int, machine: str) -> None:
        folder = await system.add_object(_id(machine, space), f"{space}:{machine}")
        for name, value in (
            ("CurrentState", ua.LocalizedText("")),
            ("CurrentState.Number", ua.Variant(0, ua.VariantType.UInt32)),
            ("LastTransition", ua.LocalizedText("")),
        ):
            whole = f"{machine}.{name}"
            self._nodes[whole] = await folder.add_variable(_id(whole, space), f"{space}:{name}", value)

    async def _watch_clients(self, server: Server) -> None:
        """See who comes and goes, also those whose cable was pulled."""
        known: set[Any] = set()
        while True:
            clients: set[Any] = set(server.bserver.clients if server.bserver else ())
            for client in clients - known:
                _keep_alive(client.transport.get_extra_info("socket"))
            if bool(clients) == self._inbox.is_lost:
                self._inbox.put(self._said() if clients else self._lost)
            known = clients
            await asyncio.sleep(_LOOK_S)

    def _written(self, event: Any, _service: object) -> None:
        if event.is_external:
            self._inbox.put(self._said())

    def _said(self) -> LineInputs | LineLostError:
        """What the variables say. asyncua has refused other types, but takes a list of the right one."""
        assert self._server
        values: dict[str, Any] = {}
        for field in fields(LineInputs):
            name = f"In.{spelled(field.name)}"
            variant = self._server.read_attribute_value(self._nodes[name].nodeid).Value
            value = variant.Value if variant else None
            if field.name == "serial" and value is None:
                value = ""
            if not isinstance(value, type(field.default)):
                return LineLostError("plc.value", self._address, node=name, found=type(value).__name__)
            values[field.name] = value
        if not values["trigger"]:
            return LineInputs(results_ack=values["results_ack"])
        return LineInputs(**values | {"serial": readable_serial(values["serial"])})

    @uamethod
    async def _start_job(self, _parent: ua.NodeId, count: Any, recipe: Any, serial: Any) -> ua.StatusCode | None:
        if not (_is_count(count) and _is_count(recipe) and isinstance(serial, str | None)):
            return _status(_STATUS.BadInvalidArgument)
        if not (self._told and self._told.trigger_ready):
            return _status(_STATUS.BadInvalidState)
        given = {"trigger_count": count, "recipe": recipe, "serial": serial or "", "trigger": True}
        for name, value in given.items():
            await self._put("In", name, value)
        self._inbox.put(self._said())
        return None

    async def _tell(self, told: LineOutputs | None, new: LineOutputs) -> None:
        """Values before flags, *results ready* last of all; flags that held for other values are taken back before those change."""
        for name, value in writes(told, new):
            await self._put("Out", name, value)
        for state in path(self._state, state_of(new, self._state)):
            await self._show_state(state)

    async def _show_state(self, state: VisionState) -> None:
        transition = f"{self._state}To{state}Auto"
        inner = state if state in AUTOMATIC_STATES else ""
        self._state = state
        for name, value in (
            ("VisionStateMachine.CurrentState", ua.LocalizedText(top_level(state))),
            (
                "VisionStateMachine.CurrentState.Number",
                ua.Variant(STATE_NUMBERS[top_level(state)], ua.VariantType.UInt32),
            ),
            ("VisionStateMachine.LastTransition", ua.LocalizedText(transition)),
            ("AutomaticMode.CurrentState", ua.LocalizedText(inner)),
        ):
            await self._nodes[name].write_value(value)

    async def _put(self, side: str, name: str, value: Any) -> None:
        await self._nodes[f"{side}.{spelled(name)}"].write_value(_variant(name, value))


class _Users(UserManager):
    """Lets in who logs in by the user and password that were set, and nobody as administrator."""

    def __init__(self, user: str | None, password: str | None) -> None:
        self._login = (user, password or "") if user is not None else None

    @property
    def tokens(self) -> list[type]:
        """What a client may show."""
        return [ua.UserNameIdentityToken] if self._login else [ua.AnonymousIdentityToken]

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        """Return who logs in, or None."""
        if self._login is None:
            return User(UserRole.User)
        given = (username or "").encode(), (password or "").encode()
        right = [hmac.compare_digest(one, other.encode()) for one, other in zip(given, self._login, strict=True)]
        return User(UserRole.User, username) if all(right) else None


def writes(told: LineOutputs | None, new: LineOutputs) -> Iterator[tuple[str, Any]]:
    """Say in which order the variables are written, so that what *results ready* makes valid always is; ``told`` is None where nobody knows."""
    changed = {each.name for each in fields(new) if told is None or getattr(told, each.name) != getattr(new, each.name)}
    values = [each.name for each in fields(new) if each.name in changed and each.name not in _FLAGS]
    if told is None or (told.results_ready and set(values) - {"heartbeat"}):
        yield from ((name, False) for name in _RESULT_FLAGS)
        changed |= set(_RESULT_FLAGS)
    flags = [name for name in (reversed(_FLAGS) if new.results_ready else _FLAGS) if name in changed]
    yield from ((name, getattr(new, name)) for name in (*values, *flags))


def spelled(name: str) -> str:
    """Spell the name of a field as OPC UA does.

    >>> spelled("results_ready")
    'ResultsReady'
    """
    return "".join(word.capitalize() for word in name.split("_"))


def _type(name: str) -> ua.VariantType:
    return _TYPES.get(name, ua.VariantType.UInt16)


def _variant(name: str, value: Any) -> ua.Variant:
    kind = _type(name)
    return ua.Variant(int(value) if kind is ua.VariantType.UInt16 else value, kind)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < COUNTS


def _status(code: int) -> ua.StatusCode:
    return ua.StatusCode(code)  # type: ignore[arg-type]


def _id(name: str | int, space: int) -> ua.NodeId:
    return ua.NodeId(name, space)  # type: ignore[arg-type]  # asyncua's own types of numbers and texts


def _ruleset() -> SimpleRoleRuleset:
    return SimpleRoleRuleset()  # type: ignore[no-untyped-call]


def _argument(shown: str, name: str) -> ua.Argument:
    return ua.Argument(Name=shown, DataType=_id(_type(name).value, 0), ValueRank=-1)


def _files(certificate: str | None, private_key: str | None, address: str) -> tuple[str, str] | None:
    if certificate is None and private_key is None:
        return None
    for name, given in (("certificate", certificate), ("private_key", private_key)):
        if given is None or not Path(given).is_file():
            raise OptionError("plc.key_file", address, name=name, found=given or "")
    return str(certificate), str(private_key)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _keep_alive(connection: socket.socket) -> None:
    """Have the system ask a client that is silent whether it is still there."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, _KEEPALIVE_S),
        (socket.TCP_KEEPINTVL, _KEEPALIVE_S),
        (socket.TCP_KEEPCNT, _KEEPALIVES),
    ):
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
