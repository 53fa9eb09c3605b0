"""What an exporter may leave behind in a graph: where it was made, and from which source."""

import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import Message

# A path of a file or of a module's source, as an exporter would leave it in a name or a note.
TRACE = re.compile(r"\.py\b|site-packages|^/[\w.-]+/|[A-Z]:\\")


def traces(exported: bytes) -> list[str]:
    """Texts in a graph that look like a path, and folders of this machine that its bytes name."""
    places = (sysconfig.get_path("purelib"), str(Path.home()), str(Path(__file__).parents[2]))
    named = [place for place in places if place.encode() in exported]
    return [*(text for text in _texts(onnx.load_model_from_string(exported)) if TRACE.search(text)), *named]


def _texts(message: Message) -> Iterator[str]:
    """Every text below ``message``."""
    for field, value in message.ListFields():
        for each in value if field.is_repeated else (value,):
            if isinstance(each, Message):
                yield from _texts(each)
            elif isinstance(each, str):
                yield each
            elif isinstance(each, bytes) and field.name != "raw_data":
                yield each.decode("utf-8", errors="replace")
