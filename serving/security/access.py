"""Which role a request needs: one table."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from andon.serving.security.roles import Role

OPEN = None
_VIEWER, _OPERATOR, _ENGINEER, _ADMIN = Role

Row = tuple[str, str, Role | None]

TABLE: Sequence[Row] = (
    # Whether the service lives and what it is: probes and clients ask before they have a key.
    ("GET", "/v2/health/live", OPEN),
    ("GET", "/v2/health/ready", OPEN),
    ("GET", "/ping", OPEN),
    ("GET", "/health", OPEN),
    ("GET", "/version", OPEN),
    # How people come in.
    ("GET", "/auth/login", OPEN),
    ("GET", "/auth/callback", OPEN),
    ("POST", "/auth/logout", _VIEWER),
    ("POST", "/api/v1/sessions", OPEN),
    ("POST", "/api/v1/invitations/accept", OPEN),
    ("GET", "/api/v1/sessions/current", _VIEWER),
    ("DELETE", "/api/v1/sessions/current", _VIEWER),
    ("POST", "/api/v1/password", _VIEWER),
    # What the interfaces are: it tells a stranger what to attack, and those who need it have a key.
    ("GET", "/docs", _VIEWER),
    ("GET", "/docs/assets/**", _VIEWER),
    ("GET", "/openapi.json", _VIEWER),
    # What was found.
    ("GET", "/metrics", _VIEWER),
    ("GET", "/api/v1/inspections", _VIEWER),
    ("GET", "/api/v1/inspections/{id}", _VIEWER),
    ("GET", "/api/v1/inspections/{id}/image", _VIEWER),
    ("GET", "/api/v1/yield", _VIEWER),
    ("GET", "/api/v1/parts/**", _VIEWER),
    ("GET", "/api/v1/signals", _VIEWER),
    ("GET", "/api/v1/signals/{id}", _VIEWER),
    ("GET", "/api/v1/signals/{id}/waveform", _VIEWER),
    ("GET", "/api/v1/alerts", _VIEWER),
    ("GET", "/api/v1/alerts/{id}", _VIEWER),
    ("GET", "/api/v1/assets", _VIEWER),
    ("GET", "/api/v1/assets/**", _VIEWER),
    ("GET", "/api/v1/events", _VIEWER),
    ("GET", "/api/v1/stations", _VIEWER),
    ("GET", "/api/v1/recipes", _VIEWER),
    ("GET", "/api/v1/recipes/{digest}", _VIEWER),
    ("GET", "/api/v1/health", _VIEWER),
    ("GET", "/api/v1/bundles", _VIEWER),
    ("GET", "/api/v1/bundles/{name}", _VIEWER),
    ("GET", "/v2", _VIEWER),
    ("GET", "/v2/models/**", _VIEWER),
    ("POST", "/v2/repository/index", _VIEWER),
    # The work at the line.
    ("POST", "/api/v1/inspections", _OPERATOR),
    ("GET", "/api/v1/bundles/{name}/content", _OPERATOR),
    ("POST", "/api/v1/inspections/{id}/disposition", _OPERATOR),
    ("POST", "/api/v1/signals", _OPERATOR),
    ("POST", "/api/v1/alerts/{id}/acknowledge", _OPERATOR),
    ("POST", "/api/v1/alerts/{id}/comment", _OPERATOR),
    ("POST", "/api/v1/alerts/{id}/feedback", _OPERATOR),
    ("POST", "/api/v1/alerts/{id}/resolve", _OPERATOR),
    ("POST", "/api/v1/alerts/{id}/reopen", _OPERATOR),
    ("POST", "/v2/models/{model}/infer", _OPERATOR),
    ("POST", "/v2/models/{model}/versions/{version}/infer", _OPERATOR),
    ("POST", "/invocations", _OPERATOR),
    ("GET", "/api/v1/edge/{origin}/head", _OPERATOR),
    ("POST", "/api/v1/edge/{origin}/entries", _OPERATOR),
    ("POST", "/api/v1/edge/images/missing", _OPERATOR),
    ("PUT", "/api/v1/edge/images/{digest}", _OPERATOR),
    # What decides about the line, and what leaves it.
    ("POST", "/v2/repository/models/{model}/load", _ENGINEER),
    ("POST", "/v2/repository/models/{model}/unload", _ENGINEER),
    ("GET", "/api/v1/ledger/**", _ENGINEER),
    ("PUT", "/api/v1/stations/{name}", _ENGINEER),
    ("PUT", "/api/v1/cameras/{name}", _ENGINEER),
    ("PUT", "/api/v1/assets/**", _ENGINEER),
    ("POST", "/api/v1/recipes", _ENGINEER),
    # Who may do all that.
    ("POST", "/api/v1/invitations", _ADMIN),
    ("GET", "/api/v1/users", _ADMIN),
    ("POST", "/api/v1/users/{name}/role", _ADMIN),
    ("POST", "/api/v1/users/{name}/disable", _ADMIN),
    ("POST", "/api/v1/users/{name}/enable", _ADMIN),
    ("GET", "/api/v1/keys", _ADMIN),
    ("POST", "/api/v1/keys", _ADMIN),
    ("POST", "/api/v1/keys/{id}/rotate", _ADMIN),
    ("POST", "/api/v1/keys/{id}/revoke", _ADMIN),
    ("GET", "/api/v1/audit", _ADMIN),
)
"""Method, path, least role. ``{name}`` stands for one piece of a path, ``**`` for all that follows, ``OPEN`` for anybody."""

UNAUDITED = frozenset(
    {
        "POST /api/v1/inspections",
        "POST /api/v1/signals",
        "POST /api/v1/edge/{origin}/entries",
        "POST /api/v1/edge/images/missing",
        "PUT /api/v1/edge/images/{digest}",
        "POST /v2/models/{model}/infer",
        "POST /v2/models/{model}/versions/{version}/infer",
        "POST /v2/repository/index",
        "POST /invocations",
    }
)
"""The line's own traffic, which changes nothing or is kept with its sender, in the ledger where it is an inspection."""

SEPARATED = frozenset(
    {
        "GET /api/v1/assets",
        "GET /api/v1/assets/**",
        "GET /api/v1/signals",
        "GET /api/v1/signals/{id}",
        "GET /api/v1/signals/{id}/waveform",
        "GET /api/v1/alerts",
        "GET /api/v1/alerts/{id}",
        "POST /api/v1/alerts/{id}/acknowledge",
        "POST /api/v1/alerts/{id}/comment",
        "POST /api/v1/alerts/{id}/feedback",
        "POST /api/v1/alerts/{id}/resolve",
        "POST /api/v1/alerts/{id}/reopen",
        "GET /api/v1/sessions/current",
        "DELETE /api/v1/sessions/current",
        "POST /api/v1/password",
        "POST /auth/logout",
        "GET /docs",
        "GET /docs/assets/**",
        "GET /openapi.json",
    }
)
"""What shows callers of one customer nothing of another's; all else does not answer them."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for a request.

    Parameters
    ----------
    action
        Method and path as in the table; the method alone where the path is not there.
    role
        The least role; None for anybody.
    """

    action: str
    role: Role | None

    @property
    def is_audited(self) -> bool:
        """Whether a change by such a request is written down."""
        return self.action not in UNAUDITED

    @property
    def is_separated(self) -> bool:
        """Whether it shows callers of one customer nothing of another's."""
        return self.role is None or self.action in SEPARATED


def role_needed(method: str, path: str) -> Role | None:
    """Say which role a request needs at least; None where anybody may send it.

    >>> role_needed("GET", "/api/v1/alerts").word, role_needed("GET", "/v2/health/live"), role_needed("PUT", "/new").word
    ('viewer', None, 'admin')
    """
    return rule_of(method, path).role


def rule_of(method: str, path: str) -> Rule:
    """Find the row for a request: HEAD is as GET, the first that fits holds, and what nobody has thought about is for administrators."""
    pattern, rules = _COMPILED.get("GET" if method == "HEAD" else method, _NONE)
    found = pattern.fullmatch(path)
    return rules[found.lastindex - 1] if found and found.lastindex else Rule(method, Role.ADMIN)


_Compiled = tuple[re.Pattern[str], Sequence[Rule]]


def _compiled(table: Iterable[Row]) -> Mapping[str, _Compiled]:
    """One pattern a method, with a group for each row: which group took part says which row fits."""
    rows: dict[str, list[tuple[str, Role | None]]] = {}
    for method, path, role in table:
        rows.setdefault(method, []).append((path, role))
    return {
        method: (
            re.compile("|".join(f"({_expression(path)})" for path, _ in own), re.DOTALL),
            tuple(Rule(f"{method} {path}", role) for path, role in own),
        )
        for method, own in rows.items()
    }


def _expression(path: str) -> str:
    """Turn a path of the table into a regular expression; whatever stands in it must not be empty."""
    pieces = re.split(r"(\{\w+\}|\*\*)", path)
    return "".join("[^/]+" if each.startswith("{") else ".+" if each == "**" else re.escape(each) for each in pieces)


_NONE: _Compiled = (re.compile(r"(?!)"), ())
_COMPILED = _compiled(TABLE)
