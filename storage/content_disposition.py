"""The HTTP header that names a download."""

from urllib.parse import quote

_ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"
"""What RFC 5987 leaves unescaped, beside letters and digits."""


def content_disposition(filename: str | None, *, attachment: bool) -> str:
    """Content-Disposition by RFC 6266: an ASCII name for old clients and the exact one for the others."""
    kind = "attachment" if attachment else "inline"
    if not filename:
        return kind
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in filename)
    if plain == filename:
        return f'{kind}; filename="{plain}"'
    exact = quote(filename, safe=_ATTRIBUTE_CHARACTERS, errors="replace")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}"
