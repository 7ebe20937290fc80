"""The worst names and dates of people: each gets the right answer at the API."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from domain.accounts.models import User
from domain.people.models import Person
from graphql_api.relay import find_uuid, global_id
from tests.graphql_api.full_app import FullApp
from tests.graphql_api.people.possessions import give_person

UPDATE = """mutation($input: UpdatePersonInput!) { updatePerson(input: $input) {
  person { id fullName birthDate sex } userErrors { code message path } } }"""

TAKEN: dict[str, str] = {
    "Ada Lovelace": "Ada Lovelace",
    "  Ada \t\n Lovelace  ": "Ada Lovelace",
    "\u3000山田\u3000太郎\u3000": "山田 太郎",
    "علي بن أبي طالب": "علي بن أبي طالب",
    "אַבְרָהָם": "אַבְרָהָם",
    "Владимир Владимирович": "Владимир Владимирович",
    "İrem Işık": "İrem Işık",
    "Jose\u0301": "José",
    "Nguyễn Thị Ánh": "Nguyễn Thị Ánh",
    "O'Neil": "O'Neil",
    "D\u2019Artagnan": "D\u2019Artagnan",
    "Jean-Luc": "Jean-Luc",
    "'t Hooft": "'t Hooft",
    "राम": "राम",
    "නිශ්ශංක": "නිශ්ශංක",
    "ශ්\u200dරී": "ශ්\u200dරී",
    "X": "X",
    "a b c d e": "a b c d e",
    "a" * 200: "a" * 200,
    "Αда": "Αда",
}
"""What somebody writes → what is kept. The last has a Greek and two Cyrillic letters that look Latin."""

REFUSED = [
    *("", "   ", "\u3000", "a b c d e f", "a" * 201, "x" * 100_000),
    *("Ada\u202eecalevoL", "Ada\u200b", "\u200d", "Ada\u200dLovelace", "Ada\ufe0f"),
    *("😀", "Ada 😀", "👩\u200d👩\u200d👧", "R2D2", "Ada_Lovelace", "-", "'", "Ada-", "--", "Ada''"),
    *("Robert'); DROP TABLE people;--", "<script>alert(1)</script>", "%", "\x1b[31mAda", "Ada\u0301\u0301\u0301\u0301\u0301\u0301"),
]  # fmt: skip

DATES_TAKEN = ["1900-01-01", "2000-02-29", "2024-02-29", "1999-12-31"]
DATES_REFUSED = ["0001-01-01", "1899-12-31", "9999-12-31"]
NO_DATES = [
    *("2023-02-29", "1900-02-29", "2024-02-30", "0000-01-01", "10000-01-01", "-0001-01-01", "1990-13-01"),
    *("1990-00-10", "01.02.1990", "yesterday", "", "1990-01-01T00:00:00Z", "١٩٩٠-٠١-٠١", "1990-1-1"),
]  # fmt: skip


@pytest.fixture
async def app(database, tmp_path):
    async with FullApp(tmp_path) as app:
        yield app


async def _somebody(app):
    ada = await app.person()
    me = (await ada.data("{ me { id } }"))["me"]["id"]
    person = await give_person(await User.get(id=find_uuid(me, "User")), is_held=True)
    return ada, global_id("Person", person.id)


async def _change(ada, id_, **changes):
    return (await ada.data(UPDATE, input={"id": id_, **changes}))["updatePerson"]


async def test_names_that_people_have_are_kept(app):
    ada, id_ = await _somebody(app)
    for written, kept in TAKEN.items():
        answer = await _change(ada, id_, fullName=written)
        assert answer["userErrors"] == [], (written, answer)
        assert answer["person"]["fullName"] == kept, written
        found = await ada.data(
            "query($name: String) { people(filter: {name: $name}) { edges { node { fullName } } } }",
            name=kept.upper()[:150],
        )
        assert [edge["node"]["fullName"] for edge in found["people"]["edges"]] == [kept], written


async def test_names_that_nobody_has_are_refused_and_change_nothing(app):
    ada, id_ = await _somebody(app)
    await _change(ada, id_, fullName="Ada Lovelace", birthDate="1990-01-02", sex="FEMALE")
    for written in REFUSED:
        answer = await _change(ada, id_, fullName=written, birthDate="1991-01-02")
        assert answer["person"] is None, written[:50]
        (error,) = answer["userErrors"]
        assert (error["code"], error["path"]) == ("INVALID", ["input", "fullName"]), written[:50]
    kept = await Person.get(id=find_uuid(id_, "Person"))
    assert (kept.full_name, str(kept.birth_date)) == ("Ada Lovelace", "1990-01-02")


async def test_half_a_character_is_no_text(app):
    """Nor is what has U+0000 in it: JSON can write both, and no database keeps them."""
    ada, id_ = await _somebody(app)
    for half in (r"\ud800", r"\udfff", r"Ada \ud83d", r"\u0000", r"Ada\u0000"):
        body = json.dumps({"query": UPDATE, "variables": {"input": {"id": id_, "fullName": "HALF"}}})
        response = await ada.http.post(
            "/graphql",
            content=body.replace("HALF", half),
            headers={**ada.headers, "Content-Type": "application/json"},
        )
        answer = response.json()
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"], answer
    assert (await Person.get(id=find_uuid(id_, "Person"))).full_name is None


async def test_days_are_days(app):
    ada, id_ = await _somebody(app)
    for day in DATES_TAKEN:
        answer = await _change(ada, id_, birthDate=day)
        assert (answer["userErrors"], answer["person"]["birthDate"]) == ([], day)
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    for day in [*DATES_REFUSED, tomorrow]:
        (error,) = (await _change(ada, id_, birthDate=day))["userErrors"]
        assert (error["code"], error["path"]) == ("INVALID", ["input", "birthDate"]), day
    for text in NO_DATES:
        answer = await ada.execute(UPDATE, input={"id": id_, "birthDate": text})
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"], (
            text,
            answer,
        )
        assert "birthDate" in answer["errors"][0]["message"], text
    assert str((await Person.get(id=find_uuid(id_, "Person"))).birth_date) == DATES_TAKEN[-1]


async def test_absent_stays_and_null_clears(app):
    ada, id_ = await _somebody(app)
    everything = {"fullName": "Ada Lovelace", "birthDate": "1990-02-28", "sex": "FEMALE"}
    assert (await _change(ada, id_, **everything))["person"] == {"id": id_, **everything}
    left = await _change(ada, id_, birthDate=None)
    assert left["person"] == {"id": id_, **everything, "birthDate": None}
    nothing = dict.fromkeys(everything)
    assert (await _change(ada, id_, **nothing))["person"] == {"id": id_, **nothing}


SEARCHES: list[tuple[str, list[str]]] = [
    ("ISTANBUL", ["Kız İstanbul"]),
    ("istanbul", ["Kız İstanbul"]),
    ("kiz", ["Kız İstanbul"]),
    ("STRASSE", ["Straße"]),
    ("σίσυφος", ["ΣΊΣΥΦΟΣ"]),
    ("jose\u0301", ["José"]),
    ("ННА Л", ["Анна Ли"]),
    ("'", ["O'Neil"]),
    ("%", []),
    ("_", []),
    ("\\", []),
    ("' OR 1=1 --", []),
    ("x" * 60_000, []),
    ("😀", []),
]


async def test_names_are_found_by_any_part_in_any_case(app):
    ada = await app.person()
    owner = await User.get(id=find_uuid((await ada.data("{ me { id } }"))["me"]["id"], "User"))
    for name in ("Kız İstanbul", "Straße", "ΣΊΣΥΦΟΣ", "José", "Анна Ли", "O'Neil", None):
        await give_person(owner, name)
    query = "query($name: String) { people(filter: {name: $name}) { edges { node { fullName } } } }"
    for text, names in SEARCHES:
        answer = await ada.data(query, name=text)
        assert [edge["node"]["fullName"] for edge in answer["people"]["edges"]] == names, text[:50]
