"""What a key of a configuration may hold, in the words and signs of TOML, which are the same in every language."""

from collections.abc import Iterable
from typing import Any

from msgspec import inspect as kinds

_BOUNDS = (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))


def allowed(hint: Any) -> str:
    """Say what fits a type hint, as ``integer >= 1, <= 65535`` or ``one | two``."""
    return _said(kinds.type_info(hint))


def _said(kind: kinds.Type) -> str:
    match kind:
        case kinds.UnionType(types=several):
            return _either(_said(each) for each in several if not isinstance(each, kinds.NoneType))
        case kinds.ListType(item_type=item) | kinds.VarTupleType(item_type=item):
            return f"[{_said(item)}, ...]"
        case kinds.DictType(value_type=value):
            return f"{{key = {_said(value)}, ...}}"
    return _said_of_one(kind)


def _said_of_one(kind: kinds.Type) -> str:
    match kind:
        case kinds.EnumType(cls=enum):
            return _either(str(each.value) for each in enum)
        case kinds.LiteralType(values=values):
            return _either(str(each) for each in values)
        case kinds.BoolType():
            return "true | false"
        case kinds.IntType():
            return _bounded("integer", kind)
        case kinds.FloatType():
            return _bounded("float", kind)
        case kinds.StrType(pattern=str(pattern)):
            return f"string {pattern}"
    return "string"  # paths are texts in TOML


def _either(several: Iterable[str]) -> str:
    return " | ".join(several)


def _bounded(name: str, kind: kinds.IntType | kinds.FloatType) -> str:
    bounds = [f"{sign} {bound:.12g}" for key, sign in _BOUNDS if (bound := getattr(kind, key)) is not None]
    return " ".join((name, ", ".join(bounds))).strip()
