"""Signals and what is told of alerts have entries in the ledger; cases have the box whose rules hold them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Bring the tables one step on: rows that are there have no entry, and their cases are held here."""
    for table, comment in (
        ("signals", "null where it was kept before signals had entries in the ledger"),
        ("alert_events", "null where it has no entry in the ledger"),
    ):
        op.add_column(table, sa.Column("origin", sa.Text(), nullable=True, comment=comment))
        op.add_column(table, sa.Column("ledger_seq", sa.BigInteger(), nullable=True))
        op.add_column(table, sa.Column("ledger_hash", sa.Text(), nullable=True))
        op.create_index(op.f(f"ix_{table}_origin_ledger_seq"), table, ["origin", "ledger_seq"])
    held = sa.Column(
        "origin", sa.Text(), nullable=True, comment="the box whose rules hold the case; null where those here do"
    )
    op.add_column("alerts", held)
    op.create_index(op.f("ix_signals_asset_sensor_id"), "signals", ["asset", "sensor", "id"])
