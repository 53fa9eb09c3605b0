"""Column types that hold the same on SQLite and on PostgreSQL."""

from datetime import datetime

from sqlalchemy import BigInteger, Dialect, Uuid
from sqlalchemy.types import TypeDecorator

from andon.models.types.moments import unix_us, utc

Identifier = Uuid[str]
"""A UUID in its usual form: PostgreSQL's own type, 32 hexadecimal digits on SQLite. Both sort version 7 by time."""


class Moment(TypeDecorator[datetime]):
    """A moment in UTC as whole microseconds since 1970: exact, in order, and the same on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Bring a moment to microseconds."""
        return None if value is None else unix_us(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Bring microseconds to a moment."""
        return None if value is None else utc(value)
