"""The results of a page of rows, made column by column by a function written for one selection.

No object is made of any row. What a column becomes is what the attribute of the object would have become: the
test compares the two. Where they could differ, for values that are not as they usually are, the function
raises, and graphql-core does the page.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphql_api.execution.attributes import Admission
from graphql_api.execution.shapes import NotPlainError, Shape
from graphql_api.rows import ROW_TYPE_ATTRIBUTE, Column, Computed, CursorKind, Names, RowEdges, RowType
from graphql_api.scalars import serialize_datetime

if TYPE_CHECKING:
    from graphql_api.execution.plans import Plan

Build = Callable[[RowEdges], list[Any]]
_Columns = Mapping[str, Column]
_MakeColumn = Callable[[RowEdges, _Columns], Column]

_MAX_BUILDERS = 16
_NO_CURSORS = CursorKind((), str)
_TEXT_LENGTHS = {len("2026-01-02T03:04:05Z"), len("2026-01-02T03:04:05.123456Z")}


class PageBuilder:
    """Makes the results of a selection on the edges of pages.

    Args:
        plan: How to execute the selection on one edge; nothing of it is left to graphql-core.
    """

    def __init__(self, plan: "Plan") -> None:
        self._plan = plan
        self._builders: dict[tuple[RowType[Any], Names, Names], Build | None] = {}

    def results(self, edges: RowEdges) -> list[Any] | None:
        """The results of all edges; None if they have to be made one by one."""
        if not edges:
            return []
        if edges.part_of is not None:
            whole, start = edges.part_of
            made = self._of_whole(whole)
            if made is not None:
                return made[start : start + len(edges)]
        return self._make(edges)

    def _of_whole(self, whole: RowEdges) -> list[Any] | None:
        """The results of pages that were read together, which are made when the first is asked for."""
        if self not in whole.built:
            try:
                whole.built[self] = self._make(whole)
            except Exception:
                whole.built[self] = None  # the page that it is about will tell
        return whole.built[self]

    def _make(self, edges: RowEdges) -> list[Any] | None:
        key = (edges.kind, edges.names, (*edges.cursor_kind.attributes, *edges.ahead))
        if key not in self._builders:
            if len(self._builders) >= _MAX_BUILDERS:
                return None
            writer = _Writer(edges)
            self._builders[key] = writer.build(lambda: writer.edge(self._plan))
        build = self._builders[key]
        return None if build is None else build(edges)


class ObjectsBuilder:
    """Makes the results of a selection on objects that are whole rows, each once however often it is there.

    Args:
        plan: How to execute the selection on one object; nothing of it is left to graphql-core.
    """

    def __init__(self, plan: "Plan") -> None:
        self._plan = plan
        self._builders: dict[RowType[Any], Build | None] = {}

    def results(self, objects: Column) -> Column | None:
        """The results of all objects; None if they have to be made one by one."""
        kinds = set(map(type, objects))
        kind = getattr(kinds.pop(), ROW_TYPE_ATTRIBUTE, None) if len(kinds) == 1 else None
        if kind is None:
            return None
        distinct = {id(one): one for one in objects}
        edges = RowEdges(kind, list(distinct.values()), kind.names, _NO_CURSORS)
        if kind not in self._builders:
            writer = _Writer(edges)
            self._builders[kind] = writer.build(lambda: writer.node(self._plan))
        build = self._builders[kind]
        if build is None:
            return None
        made = dict(zip(distinct, build(edges), strict=True))
        return [made[id(one)] for one in objects]


class _Writer:
    """Writes the expression that makes the result of a row. Names from the document are values in it."""

    def __init__(self, sample: RowEdges) -> None:
        self._sample = sample
        self._names: dict[str, Any] = {}
        self._columns: list[_MakeColumn] = []

    def build(self, write: Callable[[], str]) -> Build | None:
        """What makes the results of rows like the sample by this expression; None if that cannot be."""
        try:
            expression = write()
        except NotPlainError:
            return None
        makers, names = self._columns, self._sample.names
        values = ", ".join(["_", *[f"v{number}" for number in range(len(makers))]])
        source = f"def build(columns): return [{expression} for {values} in zip(*columns)]"
        exec(compile(source, "<page>", "exec"), self._names)  # noqa: S102 - see the class
        build: Callable[[list[Column]], list[Any]] = self._names["build"]

        def build_page(edges: RowEdges) -> list[Any]:
            columns = dict(zip(names, zip(*edges.rows, strict=True), strict=True))
            return build([edges.rows, *[make(edges, columns) for make in makers]])

        return build_page

    def edge(self, plan: "Plan") -> str:
        """The expression of an edge."""
        return self._object(plan, self._sample.edge(0), self._of_edge)

    def node(self, plan: "Plan") -> str:
        """The expression of an object without an edge."""
        return self._object(plan, self._sample.edge(0).node, self._of_node)

    def _object(self, plan: "Plan", sample: Any, of_attribute: Callable[[str, Shape], str]) -> str:
        Admission(plan.kind).admit(sample)
        parts = []
        for response_name, field in plan.fields.items():
            result = of_attribute(*field) if isinstance(field, tuple) else self._value(field)
            parts.append(f"{self._value(response_name)}: {result}")
        return f"{{{', '.join(parts)}}}"

    def _of_edge(self, attribute: str, shape: Shape) -> str:
        if attribute == "node" and shape.below is not None:
            return self.node(shape.below)
        if attribute == "cursor":
            return self._column(self._cursors(shape))
        raise NotPlainError

    def _of_node(self, attribute: str, shape: Shape) -> str:
        if attribute in self._sample.ahead:
            return self._column(lambda edges, _columns: _results(shape, edges.ahead[attribute]))
        make = _result_column(self._sample.kind, attribute, shape)
        return self._column(lambda _edges, columns: make(columns))

    def _cursors(self, shape: Shape) -> _MakeColumn:
        parts = [_value_column(self._sample.kind, name) for name in self._sample.cursor_kind.attributes]

        def make_all(edges: RowEdges, columns: _Columns) -> Column:
            make = edges.cursor_kind.make
            return _results(shape, list(map(make, *[part(columns) for part in parts])))

        return make_all

    def _column(self, make: _MakeColumn) -> str:
        self._columns.append(make)
        return f"v{len(self._columns) - 1}"

    def _value(self, value: Any) -> str:
        name = f"k{len(self._names)}"
        self._names[name] = value
        return name


def _value_column(kind: RowType[Any], attribute: str) -> Callable[[_Columns], Column]:
    """What gives the values of an attribute."""
    computed = kind.computed.get(attribute)
    if computed is None:
        if attribute not in kind.names:
            raise NotPlainError
        return lambda columns: columns[attribute]

    def make_all(columns: _Columns) -> Column:
        given = [columns[name] for name in computed.columns]
        whole = None if computed.whole is None else computed.whole(given[0])
        return list(map(computed.make, *given)) if whole is None else whole

    return make_all


def _result_column(kind: RowType[Any], attribute: str, shape: Shape) -> Callable[[_Columns], Column]:
    """What gives the results of an attribute."""
    values = _value_column(kind, attribute)
    computed = kind.computed.get(attribute)
    if computed is not None and computed.members is not None and shape.results is not None:
        return _enum_results(computed, shape.results)
    if computed is not None and computed.is_moment and _is_moment(shape):
        name = computed.columns[0]

        def moments(columns: _Columns) -> Column:
            texts = moment_texts(columns[name])
            return _results(shape, values(columns)) if texts is None else texts

        return moments
    return lambda columns: _results(shape, values(columns))


def _is_moment(shape: Shape) -> bool:
    return shape.usual is not None and shape.usual[1] is serialize_datetime


def _enum_results(computed: Computed, results: Mapping[Any, Any]) -> Callable[[_Columns], Column]:
    members = computed.members or {}
    by_stored = {stored: results[member] for stored, member in members.items() if member in results}
    name, find = computed.columns[0], by_stored.__getitem__
    return lambda columns: list(map(find, columns[name]))


def _results(shape: Shape, values: Column) -> Column:
    if shape.all_same is not None and shape.all_same(values):
        return values
    made = None if shape.convert_all is None else shape.convert_all(values)
    return list(map(shape.convert, values)) if made is None else made


def moment_texts(stored: Column) -> Column | None:
    """What becomes of moments that SQLite stores as text in UTC; None if one is not of that form."""
    if set(map(type, stored)) != {str}:
        return None
    text = "\n".join(stored)
    # Only what another hand has written has a fraction of nothing, which is not sent.
    if ".000000" in text:
        return None
    texts = text.replace(" ", "T").replace("+00:00", "Z").split("\n")
    are_whole = len(texts) == len(stored) and _TEXT_LENGTHS.issuperset(map(len, texts))
    return texts if are_whole and text.count("+00:00") == len(texts) else None
