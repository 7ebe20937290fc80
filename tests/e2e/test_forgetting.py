"""Somebody who is deleted is nowhere any more: not in the bytes of any file, not in any row, not in the storage."""

import asyncio
import base64
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from storage.factory import create_storage
from tests.databases import PostgresServer
from tests.e2e.server import Api, Server, fetch, running_server
from tests.e2e.test_deletion import uuid_of
from tests.storage.conftest import ceph_server, s3_url  # noqa: F401

NAME = "Žofie Ångström-Quillfeather"
FORMER_NAME = "Wölfgang Yttrium"
SETTINGS = {
    "mlModel": "yunet-2026may",
    "createPeople": True,
    "frameStride": 5,
    "minConfidence": 0.6,
    "startSeconds": 5.0,
}

_PIECE_BYTES = 24
"""Of an embedding: a row may lie in several pages of a file."""

Needles = dict[str, set[bytes]]


def texts(text: str) -> set[bytes]:
    """A text as it may be written."""
    forms = {text, text.casefold(), text.upper(), json.dumps(text)[1:-1]}
    return {form.encode(code) for form in forms for code in ("utf-8", "utf-16-le", "utf-16-be")}


def id_forms(key: UUID, global_id: str) -> set[bytes]:
    return {
        *texts(str(key)),
        key.hex.encode(),
        key.bytes,
        key.bytes_le,
        global_id.rstrip("=").encode(),
        *encoded(key.bytes),
    }


def encoded(data: bytes) -> set[bytes]:
    """Base64 of it, wherever it stands in what is encoded, and hexadecimal."""
    found = {data.hex().encode(), data.hex().upper().encode()}
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + data)
        sure = text[4 if offset else 0 : -4]
        found |= {sure, sure.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def embedding_forms(embedding: bytes) -> set[bytes]:
    pieces = [embedding[at : at + _PIECE_BYTES] for at in (0, len(embedding) // 2)]
    return {form for piece in pieces for form in (piece, *encoded(piece))}


def in_files(server: Server, needles: Needles) -> set[tuple[str, str]]:
    """Which needles stand in the bytes of which files of the server: database, storage, Valkey, logs."""
    found = set()
    files = [server.log, *(path for path in server.data_dir.rglob("*") if path.is_file())]
    for path in files:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        name = path.relative_to(server.data_dir.parent).as_posix()
        for what, forms in needles.items():
            if any(form in data or form in name.encode() for form in forms):
                found.add((what, name))
    return found


async def in_storage(url: str, needles: Needles) -> set[tuple[str, str]]:
    """Which needles stand in which stored objects."""
    storage = create_storage(url)
    found = set()
    try:
        async for key in storage.list(""):
            data = await storage.get(key) + key.encode()
            found |= {(what, key) for what, forms in needles.items() if any(form in data for form in forms)}
    finally:
        await storage.aclose()
    return found


async def in_postgres(url: str, needles: Needles) -> set[tuple[str, str]]:
    """Which needles stand in which tables, whatever the type of the column."""
    connection = await asyncpg.connect(url)
    found = set()
    try:
        tables = await connection.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        for (table,) in tables:
            for row in await connection.fetch(f'SELECT * FROM "{table}"'):
                data = b"\n".join(map(cell_bytes, row.values()))
                found |= {(what, table) for what, forms in needles.items() if any(f in data for f in forms)}
    finally:
        await connection.close()
    return found


def cell_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


async def rows(server: Server, url: str | None, statement: str, *values: str) -> list[tuple]:
    if url is None:
        connection = sqlite3.connect(server.data_dir / "framewise.sqlite3")
        try:
            return connection.execute(statement.replace("$1", "?"), values).fetchall()
        finally:
            connection.close()
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


async def people_of(api: Api) -> dict[str, int]:
    answer = await api.data(
        "{ people(first: 100, orderBy: MOST_SEEN) { edges { node { id appearanceCount } } } }"
    )
    return {edge["node"]["id"]: edge["node"]["appearanceCount"] for edge in answer["people"]["edges"]}


async def change(api: Api, call: str, fields: str) -> dict[str, Any]:
    field = call.partition("(")[0]
    answer = (await api.data(f"mutation {{ {call} {{ {fields} userErrors {{ code message }} }} }}"))[field]
    assert answer["userErrors"] == []
    return answer


async def analysed_again(api: Api, video_id: str, **more: bool) -> dict[str, Any]:
    started = await api.data(
        """mutation($id: ID!, $settings: AnalysisSettingsInput!) {
          startAnalysis(input: {videoId: $id, settings: $settings}) { analysis { id } userErrors { message } } }""",
        id=video_id,
        settings=SETTINGS | more,
    )
    finished = await api.finished(started["startAnalysis"]["analysis"]["id"])
    assert finished["status"] == "SUCCEEDED", finished["errorMessage"]
    return finished


async def make_somebody(api: Api, clip: Path) -> tuple[str, str]:
    """A video, and a person in it with two names, an answer and a history."""
    uploaded = await api.upload(clip, analyze=SETTINGS)
    finished = await api.finished(uploaded["analyses"][0]["id"])
    assert finished["status"] == "SUCCEEDED", finished["errorMessage"]
    person, other = list(await people_of(api))[:2]
    for name in (FORMER_NAME, NAME):
        call = f'updatePerson(input: {{id: "{person}", fullName: "{name}"}})'
        await change(api, call, "person { fullName }")
    call = f'answerSamePerson(firstId: "{person}", secondId: "{other}", isSame: false)'
    await change(api, call, "person { id }")
    return uploaded["videos"][0]["id"], person


async def exported(api: Api, person: str) -> tuple[str, dict[str, Any], list[str]]:
    url = (await change(api, f'exportPerson(id: "{person}")', "url expiresAt"))["url"]
    answer = await fetch(url)
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        told = json.loads(archive.read("person.json"))
        pictures = [name for name in archive.namelist() if archive.read(name)[:3] == b"\xff\xd8\xff"]
    return url, told, pictures


async def forget(server: Server, api: Api, clip: Path, url: str | None, search: Callable[..., Any]) -> str:
    """Make somebody, see that they are found, delete them, and see that they are not; the video's id."""
    video, person = await make_somebody(api, clip)
    key = uuid_of(person, "Person")
    seen = await rows(
        server, url, "SELECT embedding FROM appearances WHERE CAST(person_id AS TEXT) = $1", str(key)
    )
    needles = {
        "name": texts(NAME),
        "former name": texts(FORMER_NAME),
        "id": id_forms(key, person),
        **{f"embedding {number}": embedding_forms(row[0]) for number, row in enumerate(seen)},
    }
    link, told, pictures = await exported(api, person)
    assert (told["fullName"], len(told["appearances"])) == (NAME, len(seen))
    assert {edit["before"] for one in told["history"] for edit in one["edits"]} == {None, FORMER_NAME}
    assert len(pictures) == len(seen) > 0
    query = "query($id: ID!) { person(id: $id) { cropUrl appearances { edges { node { cropUrl } } } } }"
    shown = (await api.data(query, id=person))["person"]
    crops = [edge["node"]["cropUrl"] for edge in shown["appearances"]["edges"]]
    assert [(await fetch(one)).status_code for one in crops] == [200] * len(crops)
    assert {what for what, _ in await search(needles)} == set(needles)
    deleted = await change(api, f'deletePerson(id: "{person}")', "deletedId")
    assert deleted["deletedId"] == person
    async with asyncio.timeout(60):
        while await search(needles):
            await asyncio.sleep(0.2)
    assert (await fetch(link)).status_code == 404
    assert {(await fetch(one)).status_code for one in crops} == {404}
    assert (await api.data(query, id=person))["person"] is None
    kinds = [
        edge["node"]
        for edge in (await api.data("{ auditLog { edges { node { kind subjectId } } } }"))["auditLog"][
            "edges"
        ]
    ]
    assert kinds[:2] == [
        {"kind": "PERSON_DELETED", "subjectId": None},
        {"kind": "PERSON_EXPORTED", "subjectId": None},
    ]
    # Whatever happens afterwards writes nothing of them either.
    left = await people_of(api)
    await analysed_again(api, video)
    assert (await people_of(api)).keys() == left.keys()
    assert await search(needles) == set()
    return video


@pytest.mark.xdist_group("server")
async def test_no_file_has_a_byte_of_somebody_who_was_deleted(
    tmp_path: Path, media_dir: Path, weights_dir: Path
) -> None:
    with running_server(tmp_path, weights_mirror=weights_dir, slots=2) as server:
        api = await server.sign_up("ada")

        async def search(needles: Needles) -> set[tuple[str, str]]:
            return in_files(server, needles)

        video = await forget(server, api, media_dir / "short_hamilton_clip.mp4", None, search)
        left = await people_of(api)
        await analysed_again(api, video, recreatePeople=True)
        assert len(await people_of(api)) == len(left) + 1
        # A deleted account takes the rest along.
        names = {"name": texts("Öther Pärson"), "video": texts("short_hamilton_clip")}
        call = f'updatePerson(input: {{id: "{next(iter(left))}", fullName: "Öther Pärson"}})'
        await change(api, call, "person { id }")
        assert {what for what, _ in await search(names)} == set(names)
        await change(api, 'deleteAccount(password: "correct horse")', "deletedId")
        async with asyncio.timeout(60):
            while await search(names):
                await asyncio.sleep(0.2)


@pytest.mark.xdist_group("s3")
async def test_no_row_and_no_object_has_somebody_who_was_deleted(
    tmp_path: Path,
    media_dir: Path,
    weights_dir: Path,
    postgres_server: PostgresServer,
    s3_url: str,  # noqa: F811
) -> None:
    await postgres_server.run("CREATE DATABASE framewise_forgetting")
    url = postgres_server.url("framewise_forgetting")
    settings = {"database_url": url, "storage_url": s3_url, "weights_mirror": weights_dir, "slots": 2}
    with running_server(tmp_path, **settings) as server:
        api = await server.sign_up("ada")

        async def search(needles: Needles) -> set[tuple[str, str]]:
            found = in_files(server, needles) | await in_postgres(url, needles)
            return found | await in_storage(s3_url, needles)

        await forget(server, api, media_dir / "short_hamilton_clip.mp4", url, search)


@pytest.mark.parametrize("size", [15, 16, 17, 18, 24])
def test_what_is_encoded_is_found_wherever_it_stands(size: int) -> None:
    data = bytes(range(200, 200 + size))
    for offset in range(6):
        around = bytes(offset) + data + b"more"
        for written in (base64.b64encode(around), base64.urlsafe_b64encode(around), around.hex().encode()):
            assert any(form in written for form in encoded(data))
