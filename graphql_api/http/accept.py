"""Which media type an answer has: https://graphql.github.io/graphql-over-http/draft/."""

import re

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"

_QUALITY = re.compile(r"q\s*=\s*([01](?:\.[0-9]*)?)")
_ANY = ("application/*", "*/*")
_MOST_TYPES = 100
"""More than any client names; what follows is not looked at."""

NOT_ACCEPTABLE = f"Answers are {JSON} or {GRAPHQL_RESPONSE}; `Accept` is read up to its {_MOST_TYPES}th type."


def media_type(accept: str) -> str | None:
    """What the client likes best of the two that GraphQL over HTTP has; None if it takes neither.

    A client that does not say gets JSON, which every client knows; so does one that takes anything.
    """
    if not accept.strip():
        return JSON
    quality = _qualities(accept)
    anything = next((quality[name] for name in _ANY if name in quality), 0.0)
    old = quality.get(JSON, anything)
    new = quality.get(GRAPHQL_RESPONSE, 0.0)
    if new > 0 and new >= old:
        return GRAPHQL_RESPONSE
    if old > 0:
        return JSON
    return GRAPHQL_RESPONSE if GRAPHQL_RESPONSE not in quality and anything > 0 else None


def prefers_html(accept: str) -> bool:
    """Whether it is a browser that opens the address."""
    return "text/html" in accept.lower()


def _qualities(accept: str) -> dict[str, float]:
    quality: dict[str, float] = {}
    for part in accept.split(",", _MOST_TYPES)[:_MOST_TYPES]:
        name, _, parameters = part.partition(";")
        match = _QUALITY.search(parameters)
        quality[name.strip().lower()] = float(match[1]) if match else 1.0
    return quality
