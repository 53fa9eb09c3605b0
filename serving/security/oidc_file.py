"""Single sign-on as a file says it."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from andon.models.types.errors import OptionError
from andon.serving.security.options import OidcOptions
from andon.serving.security.roles import ROLES

SECRET_VARIABLE = "ANDON_OIDC_CLIENT_SECRET"
"""Where the secret comes from that the file leaves out: a file is copied more easily."""

Address = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s]+$")]
Name = Annotated[str, msgspec.Meta(min_length=1)]


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    issuer: Address
    client_id: Name
    redirect_url: Address
    roles_claim: Name
    roles: dict[str, Literal["viewer", "operator", "engineer", "admin"]]
    client_secret: str = ""
    name_claim: Name = "preferred_username"
    scope: Name = "openid profile"
    landing: Annotated[str, msgspec.Meta(pattern=r"^/(?!/)")] = "/docs"
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0


def load_oidc(path: Path, environment: Mapping[str, str]) -> OidcOptions:
    """Read how people sign on.

    Raises
    ------
    OptionError
        The file cannot be read, a key of it is unknown or wrong, or there is no secret.
    """
    try:
        said = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        known = ", ".join(_File.__struct_fields__)
        raise OptionError("security.oidc_file", str(path), reason=str(error), known=known) from error
    secret = said.client_secret or environment.get(SECRET_VARIABLE, "")
    if not secret:
        raise OptionError("security.oidc_secret", str(path), variable=SECRET_VARIABLE)
    roles = {group: ROLES[word] for group, word in said.roles.items()}
    return OidcOptions(**{**msgspec.structs.asdict(said), "client_secret": secret, "roles": roles})
