"""Documents and variables made to cost much."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.size import sized
from tests.attacks.target import Target
from tests.attacks.wire import TEXT, frame, open_socket, post, statuses, text_frame

VIDEO = "id title filename status sizeBytes createdAt"
INTROSPECTION = """query { __schema { queryType { name } types { ...T } directives { name args { ...I } } } }
fragment T on __Type { kind name description fields(includeDeprecated: true) { name description args { ...I }
  type { ...R } isDeprecated } inputFields { ...I } interfaces { ...R } enumValues(includeDeprecated: true) { name }
  possibleTypes { ...R } }
fragment I on __InputValue { name description type { ...R } defaultValue }
fragment R on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { name } } } } }"""


def chain(length: int, times: int, last: str = "id") -> str:
    """Fragments, each of which spreads the next one more than once."""
    links = [f"fragment f{n} on User {{ {f'...f{n + 1} ' * times} }}" for n in range(length)]
    return f"{{ me {{ ...f0 }} }} {' '.join(links)} fragment f{length} on User {{ {last} }}"


def nested(field: str, depth: int, last: str = "id") -> str:
    return f"{field} {{ " * depth + last + " }" * depth


def conflicts(count: int) -> str:
    """One response name for ever other arguments: graphql-core compares them in pairs."""
    return "{ " + " ".join(f"a: videos(first: {n}) {{ edges {{ cursor }} }}" for n in range(count)) + " }"


def overlapping_fragments(count: int) -> str:
    body = " ".join(f"...o{n}" for n in range(count))
    links = [f"fragment o{n} on User {{ username email x{n}: id }}" for n in range(count)]
    return f"{{ me {{ {body} }} }} {' '.join(links)}"


def documents() -> Iterator[tuple[str, str]]:
    yield (
        "aliases, as many as allowed",
        "{ " + " ".join(f"a{n}: me {{ username }}" for n in range(100)) + " }",
    )
    yield "aliases by the thousand", "{ " + " ".join(f"a{n}:__typename" for n in range(3000)) + " }"
    yield "one field, as often as tokens allow", "{ " + "__typename " * 990 + "}"
    yield (
        "pages in aliases",
        "{ "
        + " ".join(f"a{n}: videos(first: 100) {{ edges {{ node {{ {VIDEO} }} }} }}" for n in range(60))
        + "}",
    )
    yield "tokens", "{ me { " + "id " * 16_000 + "} }"
    yield "tokens that are no names", "{" * 32_000
    yield "brackets", "query(" + "[" * 900 + "$a: Int" + "]" * 90 + ") { me { id } }"
    yield "punctuation", "!" * 32_000
    yield "fragments, chained 25 deep", chain(25, 1)
    yield "fragments, chained 25 deep, spread twice", chain(25, 2)
    yield "fragments, chained 48 deep, spread nine times", chain(48, 6)
    yield (
        "fragments with conflicts below",
        chain(20, 2, "a: id") + " fragment g on User { a: username ...f0 }",
    )
    yield "fragments that overlap", overlapping_fragments(45)
    yield "a fragment that contains itself", "{ me { ...a } } fragment a on User { id ...a }"
    yield (
        "fragments in a ring",
        "{ me { ...f0 } }" + "".join(f"fragment f{n} on User {{ ...f{(n + 1) % 40} }}" for n in range(40)),
    )
    yield "inline fragments, deep", "{ me { " + "... on User { " * 240 + "id" + " }" * 240 + " } }"
    yield "inline fragments, wide", "{ me { " + "... { id } " * 240 + " } }"
    yield (
        "inline fragments, wide and the same field",
        "{ " + "... on Query { me { id username } } " * 110 + " }",
    )
    yield "conflicting arguments", conflicts(76)
    yield (
        "conflicts below conflicts",
        "{ " + " ".join(f"me {{ a: {name} }}" for name in ("id", "username") * 90) + " }",
    )
    yield "directives", "{ me { id " + "@include(if: true) " * 150 + "} }"
    yield "directives that nobody knows", "{ me { id " + "@x " * 480 + "} }"
    yield "directives on many fields", "{ " + "__typename @skip(if: false) " * 120 + "}"
    yield (
        "deep selections",
        "{ "
        + nested("videos { edges { node { analyses { edges { node { video", 12)
        + " } } } } } }" * 12
        + "}",
    )
    yield "deep braces", "{ me " * 7_000 + "}" * 7_000
    yield "deep lists as a value", "{ videos(filter: " + "[" * 480 + "]" * 480 + ") { edges { cursor } } }"
    yield (
        "deep objects as a value",
        "{ videos(filter: " + "{a: " * 240 + "1" + "}" * 240 + ") { edges { cursor } } }",
    )
    yield (
        "recursive lists",
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
    )
    yield "introspection", INTROSPECTION
    yield (
        "introspection in aliases",
        "{ "
        + " ".join(
            f"a{n}: __schema {{ types {{ name fields {{ name args {{ name }} }} }} }}" for n in range(20)
        )
        + " }",
    )
    yield (
        "types in aliases",
        "{ "
        + " ".join(f'a{n}: __type(name: "Video") {{ fields {{ name description }} }}' for n in range(60))
        + " }",
    )
    yield "a comment of 30 KB", "#" + "x" * 30_000 + "\n{ me { id } }"
    yield "a comment of 200 KB", "#" + "x" * 200_000 + "\n{ me { id } }"
    yield "a comment of 1 MB", "#" + "x" * 2**20 + "\n{ me { id } }"
    yield "comments, one a line", "#\n" * 16_000 + "{ me { id } }"
    yield "commas and blanks", ", " * 16_000 + "{ me { id } }"
    yield "a string of 30 KB", '{ node(id: "' + "x" * 30_000 + '") { id } }'
    yield "a string of escapes", '{ node(id: "' + "\\u0041" * 5_000 + '") { id } }'
    yield "a block string of lines", '{ node(id: """' + "\n x" * 10_000 + '""") { id } }'
    yield "a block string of blanks", '{ node(id: """' + "\n" + " " * 30_000 + '""") { id } }'
    yield "a block string of quotes", '{ node(id: """' + '\\"""' * 7_000 + '""") { id } }'
    yield "a huge integer", "{ videos(first: " + "9" * 30_000 + ") { edges { cursor } } }"
    yield (
        "huge integers",
        "{ "
        + " ".join(f"a{n}: videos(first: {'9' * 4_000}) {{ edges {{ cursor }} }}" for n in range(7))
        + " }",
    )
    yield "a huge float", "{ videos(first: 1." + "9" * 30_000 + "e99999) { edges { cursor } } }"
    yield "a name of 30 KB", "{ " + "x" * 30_000 + " }"
    yield "names that nobody knows", "{ " + " ".join(f"videosx{n}" for n in range(490)) + " }"
    yield (
        "names nearly right, in every type",
        "{ " + " ".join(f"videoz{n} {{ idd }}" for n in range(240)) + " }",
    )
    yield (
        "arguments that nobody knows",
        "{ videos(" + " ".join(f"firzt{n}: 1" for n in range(320)) + ") { edges { cursor } } }",
    )
    yield "an argument, many times", "{ videos(" + "first: 1 " * 320 + ") { edges { cursor } } }"
    yield (
        "an object of many fields",
        "{ videos(filter: {" + " ".join(f"serch{n}: 1" for n in range(320)) + "}) { edges { cursor } } }",
    )
    yield (
        "values that do not fit",
        "{ videos(filter: {" + " ".join("status: NOPE" for _ in range(320)) + "}) { edges { cursor } } }",
    )
    yield "operations, as many as allowed", " ".join(f"query q{n} {{ me {{ id }} }}" for n in range(50))
    yield "operations by the hundred", " ".join(f"query q{n} {{ me {{ id }} }}" for n in range(140))
    yield "operations without names", "{ me { id } } " * 160
    yield (
        "variables that nobody uses",
        "query(" + " ".join(f"$v{n}: Int = {n}" for n in range(160)) + ") { me { id } }",
    )
    yield (
        "variables of odd types",
        "query(" + " ".join(f"$v{n}: Nope{n}" for n in range(240)) + ") { me { id } }",
    )
    yield "type definitions", " ".join(f"type T{n} {{ a: Int }}" for n in range(140))
    yield "extensions of the schema", "extend schema { query: Nope } " * 100
    yield "subscriptions with many fields", "subscription { " + "myAnalysesProgress { status } " * 200 + " }"
    yield (
        "a mutation, many times",
        "mutation { " + " ".join(f'a{n}: deleteVideo(id: "x") {{ deletedId }}' for n in range(90)) + " }",
    )
    yield "nothing but blanks", " " * 30_000
    yield "a byte order mark and a half pair", "\ufeff{ me { id } }"


def deep_lists(depth: int) -> str:
    return "[" * depth + "]" * depth


def raw_bodies() -> Iterator[tuple[str, bytes]]:
    """Bodies whose JSON is the attack."""
    list_query = json.dumps("query($v: [ID!]) { me { id } }")
    input_query = json.dumps(
        "mutation($v: StartAnalysisInput!) { startAnalysis(input: $v) { analysis { id } } }"
    )
    filter_query = json.dumps("query($v: VideoFilter) { videos(filter: $v) { edges { cursor } } }")
    for depth in (500, 1_000, 5_000, 100_000):
        yield (
            f"lists {depth} deep",
            f'{{"query": {filter_query}, "variables": {{"v": {deep_lists(depth)}}}}}'.encode(),
        )
    objects = '{"a":' * 1_000 + "1" + "}" * 1_000
    yield "objects 1,000 deep", f'{{"query": {filter_query}, "variables": {{"v": {objects}}}}}'.encode()
    yield "an array of arrays", deep_lists(120_000).encode()
    for value in ("[" + "1," * 9_000 + "1]", "[" + "{}," * 9_000 + "{}]", "[" + "null," * 9_000 + "1]", '"' + "x" * 200_000 + '"', "1" * 200_000, "1e999999", "-0", "[[" * 500 + "]]" * 500):  # fmt: skip
        for query in (list_query, input_query, filter_query):
            yield f"a value of {value[:10]}…", f'{{"query": {query}, "variables": {{"v": {value}}}}}'.encode()
    many = ",".join(f'"k{n}": {n}' for n in range(9_000))
    yield (
        "an input object of many fields",
        f'{{"query": {input_query}, "variables": {{"v": {{{many}}}}}}}'.encode(),
    )
    yield "many variables", f'{{"query": {filter_query}, "variables": {{{many}}}}}'.encode()
    settings = ",".join(f'"s{n}"' for n in range(9_000))
    yield (
        "labels",
        f'{{"query": {input_query}, "variables": {{"v": {{"videoId": "x", "settings": {{"labels": [{settings}]}}}}}}}}'.encode(),
    )
    one = '{"query": "{ me { id } }"}'
    yield "a batch", ("[" + ",".join([one] * 5_000) + "]").encode()
    yield "a query that is a list", b'{"query": ["{ me { id } }"]}'
    yield "members by the thousand", ("{" + ",".join(f'"m{n}": 1' for n in range(20_000)) + "}").encode()
    yield (
        "the same member by the thousand",
        ("{" + ",".join(['"query": "{ me { id } }"'] * 8_000) + "}").encode(),
    )
    yield (
        "a long operationName",
        json.dumps({"query": "{ me { id } }", "operationName": "x" * 200_000}).encode(),
    )
    yield (
        "extensions",
        json.dumps({"query": "{ me { id } }", "extensions": {str(n): [n] for n in range(9_000)}}).encode(),
    )
    for wrong in (b"1", b"null", b'"x"', b"[]", b"{}", b"", b"\xff\xfe", b'{"query": 1}', b'{"query": "{ me { id } }", "variables": []}', b'{"query": "\\ud800"}', b'{"query": "{ me { id } } \\u0000"}', b"NaN", b'{"query": NaN}', b"{" * 100_000):  # fmt: skip
        yield f"{wrong[:12]!r}", wrong
    yield (
        "a hash of another document",
        json.dumps({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x" * 100_000}}}).encode(),
    )


DOCUMENTS = dict(documents())
BODIES = list(raw_bodies())
TIMES = sized(2, 40)


def as_request(target: Target, document: str) -> bytes:
    return post(target, json.dumps({"query": document}).encode())


@pytest.mark.parametrize("part", range(4))
async def test_documents(target: Target, part: int) -> None:
    chosen = list(DOCUMENTS.items())[part::4]
    async with target.under_attack(f"documents, part {part + 1} of 4"):
        for name, document in chosen:
            found = await statuses(target, [as_request(target, document)] * TIMES)
            assert set(found) <= {200, 400, 405, 413}, (name, found)


async def test_documents_that_are_each_new(target: Target) -> None:
    """No cache helps here: each has a name of its own."""
    kinds = (
        "introspection",
        "pages in aliases",
        "fragments that overlap",
        "conflicting arguments",
        "inline fragments, wide",
    )
    async with target.under_attack("documents, each new"):
        for kind in kinds:
            requests = [as_request(target, f"{DOCUMENTS[kind]} # {n}") for n in range(sized(10, 300))]
            found = await statuses(target, requests)
            assert set(found) <= {200, 400}, (kind, found)


async def test_bodies(target: Target) -> None:
    async with target.under_attack("variables and JSON"):
        for name, body in BODIES:
            found = await statuses(target, [post(target, body)] * TIMES)
            assert set(found) <= {200, 400, 413}, (name, found)


async def test_documents_over_a_socket(target: Target) -> None:
    """What is refused there ends an operation, or the socket where it is no message."""
    async with target.under_attack("documents over a socket"):
        for name, document in DOCUMENTS.items():
            async with open_socket(target) as socket:
                payload: dict[str, Any] = {"query": document}
                await socket.send(text_frame({"id": "1", "type": "subscribe", "payload": payload}))
                if name == "subscriptions with many fields":
                    continue
                message = await socket.message()
                assert message["type"] in ("next", "error", "closed"), (name, message)
                assert message.get("code") in (None, 4400, 1009), (name, message)


async def test_bodies_over_a_socket(target: Target) -> None:
    async with target.under_attack("JSON over a socket"):
        for name, body in BODIES:
            async with open_socket(target) as socket:
                text = body.decode("utf-8", "replace")
                payload = text if text else "null"
                await socket.send(_subscribe(payload))
                message = await socket.message()
                assert message["type"] in ("next", "error", "closed"), (name, message)
                assert message.get("code") in (None, 4400, 1009, 1007), (name, message)


def _subscribe(payload: str) -> bytes:
    return frame(TEXT, f'{{"id": "1", "type": "subscribe", "payload": {payload}}}'.encode())
