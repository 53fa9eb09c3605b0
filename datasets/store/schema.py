"""The tables.

Places and machines go by their names, which people and lines already use; what happens goes by a UUIDv7, whose order is that of time.
Documents are kept as the bytes that were answered, beside the columns that are searched.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from andon.datasets.store.columns import Identifier, Moment

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[str]:
    return Column("id", Identifier(as_uuid=False), primary_key=True)


def _of(name: str, target: str, *, primary_key: bool = False) -> Column[str]:
    return Column(name, Identifier(as_uuid=False), ForeignKey(target), nullable=False, primary_key=primary_key)


customers = Table("customers", METADATA, Column("name", Text, primary_key=True))
sites = Table(
    "sites",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("customer", Text, ForeignKey("customers.name")),
)
lines = Table("lines", METADATA, Column("name", Text, primary_key=True), Column("site", Text, ForeignKey("sites.name")))
cells = Table("cells", METADATA, Column("name", Text, primary_key=True), Column("line", Text, ForeignKey("lines.name")))
stations = Table(
    "stations", METADATA, Column("name", Text, primary_key=True), Column("cell", Text, ForeignKey("cells.name"))
)
cameras = Table(
    "cameras",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("station", Text, ForeignKey("stations.name"), nullable=False),
    Column("settings", LargeBinary, nullable=False),
)

bundles = Table(
    "bundles",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("served_from", Moment, nullable=False),
    Column("manifest", LargeBinary, nullable=False),
)
recipes = Table(
    "recipes",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("station", Text, ForeignKey("stations.name")),
    Column("bundle_digest", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

parts = Table(
    "parts",
    METADATA,
    Column("code", Text, primary_key=True, comment="canonical form of the serial or identifier code"),
    Column("scheme", Text, nullable=False),
    Column("serial", Text, index=True, comment="the serial number within an identifier code"),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
)
inspections = Table(
    "inspections",
    METADATA,
    _id(),
    Column("time", Moment, nullable=False),
    Column("part", Text, ForeignKey("parts.code")),
    Column("station", Text, ForeignKey("stations.name")),
    Column("model", Text, nullable=False),
    Column("bundle_digest", Text, nullable=False),
    Column("recipe", Text),
    Column("verdict", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("operator", Text),
    Column("image", Text, nullable=False, comment="SHA-256 of the image as it was sent"),
    Column("image_kept", Boolean, nullable=False),
    Column("request_key", Text, unique=True),
    Column("request_digest", LargeBinary),
    Column("origin", Text, nullable=False),
    Column("ledger_seq", BigInteger, nullable=False),
    Column("ledger_hash", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Index(None, "part", "id"),
    Index(None, "station", "id"),
    Index(None, "model", "id"),
    Index(None, "verdict", "id"),
    Index(None, "image"),
    Index(None, "origin", "ledger_seq"),
    Index("ix_inspections_kept", "verdict", "id", sqlite_where=text("image_kept"), postgresql_where=text("image_kept")),
)
tallies = Table(
    "tallies",
    METADATA,
    Column("hour", Moment, primary_key=True),
    Column("station", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("verdict", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)
dispositions = Table(
    "dispositions",
    METADATA,
    _id(),
    _of("inspection", "inspections.id"),
    Column("time", Moment, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Index(None, "inspection"),
)

assets = Table(
    "assets",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("cell", Text, ForeignKey("cells.name")),
    Column("customer", Text, ForeignKey("customers.name"), index=True),
    Column("rules", LargeBinary, comment="what the alert rules remember of it"),
)
sensors = Table(
    "sensors",
    METADATA,
    Column("asset", Text, ForeignKey("assets.name"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
)
health = Table(
    "health",
    METADATA,
    Column("bundle_digest", Text, primary_key=True),
    Column("sensor", Text, primary_key=True, comment="asset and sensor, as baselines are named"),
    Column("changed", Moment, nullable=False),
    Column("state", LargeBinary, nullable=False),
)
signals = Table(
    "signals",
    METADATA,
    _id(),
    Column("time", Moment, nullable=False),
    Column("received", Moment, nullable=False),
    Column("asset", Text, ForeignKey("assets.name")),
    Column("sensor", Text, nullable=False),
    Column("rate_hz", Float, nullable=False),
    Column("unit", Text, nullable=False),
    Column("rpm", Float),
    Column("fault", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("zone", Text),
    Column("running", Boolean, comment="null where nobody can tell"),
    Column("duration_s", Float, nullable=False),
    Column("waveform", Text, nullable=False, comment="SHA-256 of the Parquet file"),
    Column("waveform_kept", Boolean, nullable=False),
    Column("request_key", Text, unique=True),
    Column("request_digest", LargeBinary),
    Column("origin", Text, comment="null where it was kept before signals had entries in the ledger"),
    Column("ledger_seq", BigInteger),
    Column("ledger_hash", Text),
    Column("document", LargeBinary, nullable=False),
    Index(None, "asset", "time"),
    Index(None, "asset", "sensor", "id"),
    Index(None, "waveform"),
    Index(None, "origin", "ledger_seq"),
    Index("ix_signals_kept", "id", sqlite_where=text("waveform_kept"), postgresql_where=text("waveform_kept")),
)
indicators = Table(
    "indicators",
    METADATA,
    _of("signal", "signals.id", primary_key=True),
    Column("name", Text, primary_key=True),
    Column("asset", Text, nullable=False),
    Column("sensor", Text, nullable=False),
    Column("time", Moment, nullable=False),
    Column("value", Float, nullable=False),
    Index(None, "asset", "sensor", "name", "time"),
)
alerts = Table(
    "alerts",
    METADATA,
    _id(),
    Column("asset", Text, ForeignKey("assets.name"), nullable=False),
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("fault", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("opened", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
    Column("origin", Text, comment="the box whose rules hold the case; null where those here do"),
    Column("case", LargeBinary, nullable=False, comment="as the alert rules hold it"),
    Column("document", LargeBinary, nullable=False),
    Index(None, "asset", "id"),
    Index(None, "state", "id"),
    CheckConstraint("state IN ('open', 'acknowledged', 'resolved')", name="state"),
)
alert_events = Table(
    "alert_events",
    METADATA,
    _id(),
    _of("alert", "alerts.id"),
    Column("time", Moment, nullable=False),
    Column("event", Text, nullable=False),
    Column("actor", Text, nullable=False, comment="empty where the rules did it"),
    Column("comment", Text, nullable=False),
    Column("origin", Text, comment="null where it has no entry in the ledger"),
    Column("ledger_seq", BigInteger),
    Column("ledger_hash", Text),
    Column("document", LargeBinary, nullable=False),
    Index(None, "alert", "id"),
    Index(None, "origin", "ledger_seq"),
)
feedback = Table(
    "feedback",
    METADATA,
    _id(),
    _of("alert", "alerts.id"),
    Column("time", Moment, nullable=False),
    Column("is_true", Boolean, nullable=False),
    Column("part_found", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Index(None, "alert"),
)
outbox = Table(
    "outbox",
    METADATA,
    _id(),
    Column("channel", Text, nullable=False),
    Column("alert", Identifier(as_uuid=False), nullable=False),
    Column("created", Moment, nullable=False),
    Column("due", Moment, nullable=False),
    Column("expires", Moment, nullable=False, comment="given up where it still fails then"),
    Column("held", Boolean, nullable=False, comment="told in a summary with all others that are held"),
    Column("leased", Moment, comment="until then some process is sending it"),
    Column("attempts", Integer, nullable=False),
    Column("refusals", Integer, nullable=False, comment="attempts at which the receiver refused this one alone"),
    Column("state", Text, nullable=False),
    Column("settled", Moment),
    Column("failure", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index(None, "state", "channel", "due"),
    Index(None, "alert", "channel"),
    CheckConstraint("state IN ('waiting', 'sent', 'given_up')", name="state"),
)

ledger = Table(
    "ledger",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index(None, "hash"),
)

checkpoints = Table(
    "checkpoints",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("document", LargeBinary, nullable=False),
)

users = Table(
    "users",
    METADATA,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("customer", Text, ForeignKey("customers.name")),
    Column("password_hash", Text, comment="null for those that come by single sign-on"),
    Column("subject", Text, unique=True, comment="issuer and subject of single sign-on"),
    Column("language", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("disabled", Moment),
)
keys = Table(
    "keys",
    METADATA,
    _id(),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("role", Text, nullable=False),
    Column("customer", Text, ForeignKey("customers.name")),
    Column("created", Moment, nullable=False),
    Column("expires", Moment),
    Column("revoked", Moment),
    Column("former_digest", LargeBinary, comment="of the secret before the last rotation"),
    Column("former_until", Moment, comment="how long that one is still taken"),
    Column("last_used", Moment, comment="to the hour"),
)
invitations = Table(
    "invitations",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("role", Text, nullable=False),
    Column("customer", Text, ForeignKey("customers.name")),
    Column("expires", Moment, nullable=False),
    Column("used", Moment),
)
sessions = Table(
    "sessions",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    _of("user", "users.id"),
    Column("csrf", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("seen", Moment, nullable=False, comment="to the minute"),
    Column("expires", Moment, nullable=False),
    Index(None, "user"),
)
audit = Table(
    "audit",
    METADATA,
    _id(),
    Column("time", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("address", Text, nullable=False),
    Index(None, "actor", "id"),
)
