"""Documents that were asked before, parsed and validated."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from graphql import DocumentNode, GraphQLError, Node, VariableNode
from graphql.language import DirectiveNode

from graphql_api.execution.beside import beside_the_loop
from graphql_api.execution.plans import DocumentPlans
from graphql_api.rules import QueryCost, introspecting_operations
from graphql_api.scheduling.fair_gate import FairGate
from graphql_api.scheduling.slices import Slices

MAX_DOCUMENTS = 1_000
MAX_BYTES = 32 * 2**20

_BYTES_A_DOCUMENT = 30_000
_BYTES_A_TOKEN = 600
"""What a document takes in memory with what is known of it, and what each of its tokens adds: measured with
tracemalloc, Python 3.11 and graphql-core 3.3, rounded up."""
_LARGEST_SHARE = 8
"""A document that would take more than this part of the cache is not kept."""

_QUICK_CHARACTERS = 500
"""So short a document is checked at once."""


_CHECK_SECONDS = 5.0
"""So long the next one waits for a check."""


@dataclass(eq=False)
class Mistakes:
    """What is wrong with a document, which is None if it could not even be parsed."""

    errors: list[GraphQLError]
    document: DocumentNode | None = None


class CheckedDocument:
    """A document without mistakes.

    Attributes:
        document: The document.
        plans: How to build the results of its selections.
        costs: What its operations cost, by name, as far as asked.
        introspecting: The names of its operations that ask for the schema.
        size_bytes: What it takes in memory, about.
    """

    def __init__(self, document: DocumentNode) -> None:
        # The parser's count: the tokens themselves do not know each other any more.
        tokens: int = document.token_count
        source = document.loc.source.body if document.loc else ""
        self.document = document
        self.plans = DocumentPlans(condition_variables(document), tokens)
        self.costs: dict[str | None, QueryCost] = {}
        self.introspecting = introspecting_operations(document)
        self.size_bytes = _BYTES_A_DOCUMENT + len(source) + _BYTES_A_TOKEN * tokens


class DocumentCache:
    """The valid documents asked last, bounded in number and in memory.

    One that is asked a second time moves to a part of its own, so that no crowd of documents asked once can
    push out those in use. Mistaken documents are not kept.

    Args:
        check: Parses and validates a source; the mistakes if there are any.
        max_documents: How many documents are kept at most.
        max_bytes: How much memory they may take together, about.
        slices: Of the event loop's time, for documents that are checked on it.
    """

    def __init__(
        self,
        check: Callable[[str], CheckedDocument | Mistakes],
        max_documents: int = MAX_DOCUMENTS,
        max_bytes: int = MAX_BYTES,
        slices: Slices | None = None,
    ) -> None:
        self._check = check
        self._slices = Slices() if slices is None else slices
        self._gate = FairGate(1, _CHECK_SECONDS)
        self._once = _Shelf(max_documents // 2, max_bytes // 2)
        self._often = _Shelf(max_documents // 2, max_bytes // 2)

    def __len__(self) -> int:
        return len(self._once.documents) + len(self._often.documents)

    @property
    def size_bytes(self) -> int:
        """What the documents take in memory, about."""
        return self._once.size_bytes + self._often.size_bytes

    async def fetch(self, source: str, caller: Callable[[], Hashable] = str) -> CheckedDocument | Mistakes:
        """The document of this source, or what is wrong with it.

        Checking a long one takes up to 100 ms. That is done in a thread, for one document after the other, so
        that however many new ones come, the others have their turn.

        Args:
            source: The text.
            caller: Says who asks, if it matters: several with new documents take turns.
        """
        if self._holds(source):
            return self.get(source)
        if len(source) <= _QUICK_CHARACTERS:
            await self._slices.next()
            return self.get(source)
        async with self._gate.place(caller()):
            checked = await beside_the_loop(self._checked, source)
        return self.get(source) if self._holds(source) else self._kept(source, checked)

    def get(self, source: str) -> CheckedDocument | Mistakes:
        """As `fetch`, but at once."""
        found = self._often.get(source)
        if found is not None:
            return found
        found = self._once.take(source)
        if found is not None:
            found.plans.enabled = True
            for demoted_source, demoted in self._often.put(source, found):
                self._once.put(demoted_source, demoted)
            return found
        return self._kept(source, self._check(source))

    def _holds(self, source: str) -> bool:
        return source in self._often.documents or source in self._once.documents

    def _kept(self, source: str, checked: CheckedDocument | Mistakes) -> CheckedDocument | Mistakes:
        if isinstance(checked, CheckedDocument):
            self._once.put(source, checked)
        return checked

    def _checked(self, source: str) -> CheckedDocument | Mistakes:
        """The document, unless somebody else has asked for it just before; called by a thread."""
        known = self._often.documents.get(source) or self._once.documents.get(source)
        return known or self._check(source)


class _Shelf:
    """A bounded dictionary that drops what was used least recently."""

    def __init__(self, max_documents: int, max_bytes: int) -> None:
        self.documents: OrderedDict[str, CheckedDocument] = OrderedDict()
        self.size_bytes = 0
        self._max_documents = max_documents
        self._max_bytes = max_bytes

    def get(self, source: str) -> CheckedDocument | None:
        found = self.documents.get(source)
        if found is not None:
            self.documents.move_to_end(source)
        return found

    def take(self, source: str) -> CheckedDocument | None:
        found = self.documents.pop(source, None)
        if found is not None:
            self.size_bytes -= found.size_bytes
        return found

    def put(self, source: str, document: CheckedDocument) -> list[tuple[str, CheckedDocument]]:
        """Add a document; what had to go for it."""
        if document.size_bytes > self._max_bytes // (_LARGEST_SHARE // 2):
            return []
        self.documents[source] = document
        self.size_bytes += document.size_bytes
        dropped = []
        while len(self.documents) > self._max_documents or self.size_bytes > self._max_bytes:
            dropped.append(self.documents.popitem(last=False))
            self.size_bytes -= dropped[-1][1].size_bytes
        return dropped


def condition_variables(document: DocumentNode) -> tuple[str, ...]:
    """The variables that decide by `@skip` and `@include` what is selected."""
    names = set()
    for node in _descendants(document):
        if isinstance(node, DirectiveNode) and node.name.value in ("skip", "include"):
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    names.add(argument.value.name.value)
    return tuple(sorted(names))


def _descendants(document: DocumentNode) -> Iterator[Node]:
    waiting: list[Node] = [document]
    while waiting:
        node = waiting.pop()
        yield node
        for key in node.keys:
            value = getattr(node, key, None)
            if isinstance(value, Node):
                waiting.append(value)
            elif isinstance(value, (list, tuple)):
                waiting.extend(one for one in value if isinstance(one, Node))
