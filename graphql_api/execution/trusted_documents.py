"""Documents that this server executes, when it executes no others."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import orjson
from graphql import GraphQLError

_ID_MARK = "#document:"
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class TrustedDocumentsError(Exception):
    """Raised when the file of trusted documents cannot be used; its text says what to change."""


class TrustedDocuments:
    """A list of documents, each found by its name, its hash or its text.

    Args:
        documents: The documents by name; a name that looks like a SHA-256 must be that of the text.
    """

    def __init__(self, documents: Mapping[str, str]) -> None:
        self.named = dict(documents)
        self._texts: dict[str, str] = {}
        for name, text in documents.items():
            digest = hashlib.sha256(text.encode()).hexdigest()
            given = _SHA256.fullmatch(name)
            if given is not None and given[1] != digest:
                raise TrustedDocumentsError(f"The document {name!r} has the hash {digest}.")
            self._texts[name] = self._texts[digest] = text
        self._allowed = frozenset(self._texts.values())

    def __len__(self) -> int:
        return len(self._allowed)

    def find(self, document_id: str) -> str | None:
        """The text of the document with this name or hash."""
        return self._texts.get(document_id.removeprefix("sha256:"), self._texts.get(document_id))

    def allows(self, text: str) -> bool:
        """Whether it is the text of one of them, to the letter."""
        return text in self._allowed


def load_trusted_documents(path: Path | None) -> TrustedDocuments | None:
    """The documents in a JSON file of names or hashes and documents; None without a file.

    Raises:
        TrustedDocumentsError: It cannot be read, or it is something else.
    """
    if path is None:
        return None
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise TrustedDocumentsError(
            f"The trusted documents cannot be read: {path}: {error.strerror}."
        ) from None
    except orjson.JSONDecodeError as error:
        raise TrustedDocumentsError(f"The trusted documents are not JSON: {path}: {error}.") from None
    if not isinstance(content, dict) or not all(isinstance(text, str) for text in content.values()):
        raise TrustedDocumentsError(
            f'The trusted documents in {path} must be an object like {{"name or sha256": "query …"}}.'
        )
    return TrustedDocuments(content)


def source_of(document_id: str) -> str:
    """What stands for a document that a request only names: a comment, which is no document."""
    return _ID_MARK + document_id


def document_text(source: str, trusted: TrustedDocuments | None) -> str:
    """The document to execute for what a request has as its document.

    Raises:
        GraphQLError: It names a document that is not in the list, or it is another one while there is a list.
    """
    if not source.startswith(_ID_MARK):
        if trusted is None or trusted.allows(source):
            return source
        raise GraphQLError("This server executes only documents that it knows (setting: trusted_documents).")
    document_id = source.removeprefix(_ID_MARK)
    if trusted is None:
        raise GraphQLError("This server keeps no documents: send the whole document as `query`.")
    text = trusted.find(document_id)
    if text is None:
        raise GraphQLError(
            f"This server knows no document {document_id[:100]!r} (setting: trusted_documents)."
        )
    return text
