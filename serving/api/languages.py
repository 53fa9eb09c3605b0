"""The language a caller reads."""

from starlette.requests import Request

from andon.models.messages.accepted import accepted_language


def language_of(request: Request) -> str:
    """Choose the language of a request; English where it asks for none that there is."""
    return accepted_language(request.headers.get("accept-language", ""), "en")
