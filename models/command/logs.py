"""Logs as JSON, one object a line."""

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

from andon.models.types.moments import as_text


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object; ``extra={"fields": {...}}`` adds members to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Write ``record``."""
        document = {
            "time": as_text(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False, default=str)


def log_as_json(stream: TextIO) -> None:
    """Send the process's logs to ``stream``: Andon's from INFO on, warnings and errors of everything else."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("andon").setLevel(logging.INFO)
