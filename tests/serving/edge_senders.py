"""Boxes that send to the service, and those who ask it: their keys, and how they send in tests."""

from datetime import UTC, datetime

from andon.datasets.store.accounts import Accounts
from andon.datasets.store.database import Database
from andon.datasets.store.replication import FileChoice, ImageChoice, WaveformChoice
from andon.hardware.edge.upload import Pace
from andon.serving.security.issuing import new_key
from andon.serving.security.roles import ROLES

NO_FILES = FileChoice(ImageChoice.NONE, WaveformChoice.NONE)
QUICK = Pace(first_s=0.02, longest_s=0.2, gather_s=0.0, idle_s=5.0)
PATIENCE_S = 30.0


def give_key(database: Database, name: str, role: str, customer: str | None = None) -> str:
    given, key = new_key(name, ROLES[role], customer, None, datetime.now(UTC))
    Accounts(database).add_key(key)
    return given.text


def bearing(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
