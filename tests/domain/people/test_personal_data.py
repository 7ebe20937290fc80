from datetime import UTC, date, datetime, timedelta

import pytest

from domain.errors import InvalidError
from domain.people.names import name_key
from domain.people.personal_data import (
    MAX_NAME_KEY_LENGTH,
    check_birth_date,
    clean_person_name,
    stored_name_key,
)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada \t\n Lovelace\u3000", "Ada Lovelace"),
        ("Ada\xa0Lovelace", "Ada Lovelace"),
        ("Jean-Luc O'Brien", "Jean-Luc O'Brien"),
        ("D\u2019Arcy", "D\u2019Arcy"),
        ("Gerard 't Hooft", "Gerard 't Hooft"),
        ("O\u2018Neil",) * 2,
        ("O\u02bcNeil",) * 2,
        ("Kaho\u02bbolawe",) * 2,
        ("Gal\u00b7la",) * 2,
        ("Gal\u0387la", "Gal\u00b7la"),
        ("Anne\u2010Marie", "Anne\u2010Marie"),
        ("Jose\u0301", "Jos\u00e9"),
        ("Q\u0323\u0307", "Q\u0323\u0307"),
        ("\u05d3\u05d5\u05d3 \u05d1\u05df\u05be\u05d2\u05d5\u05e8\u05d9\u05d5\u05df".replace("\u05be", "-"),)
        * 2,
        ("\u0645\u062d\u0645\u0651\u062f \u0639\u0644\u064a",) * 2,
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",) * 2,
        ("\u0928\u0930\u0947\u0928\u094d\u0926\u094d\u0930",) * 2,
        ("\u0915\u094d\u200d\u0937",) * 2,
        ("\u5c71\u7530 \u592a\u90ce",) * 2,
        ("\u30b8\u30e7\u30fc\u30b8",) * 2,
        ("\uae40\ucca0\uc218",) * 2,
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("\U00020bb7\u91ce\u5bb6",) * 2,
        ("\u0410\u043d\u043d\u0430-\u041c\u0430\u0440\u0438\u044f",) * 2,
        ("X",) * 2,
        ("\u05d1\u05df\u05be\u05d2\u05d5\u05e8\u05d9\u05d5\u05df",) * 2,
        ("a b c d e",) * 2,
        ("a" * 200,) * 2,
    ],
)
def test_names_of_any_script(written: str, kept: str) -> None:
    assert clean_person_name(written) == kept
    assert clean_person_name(kept) == kept


@pytest.mark.parametrize(
    "written",
    [
        "",
        "   ",
        "\u200b",
        "-",
        "'",
        "Ada-",
        "-Ada",
        "Ada--Marie",
        "O''Brien",
        "O'-Brien",
        "Ada 2",
        "R2D2",
        "Ada!",
        "ada@example.org",
        "<b>Ada</b>",
        "Ada; DROP TABLE people",
        "Ada_Lovelace",
        "Ada.",
        "Ada \U0001f600",
        "\U0001f468\u200d\U0001f469",
        "\u0661\u0662",
        "\u0301",
        "\u0301Ada",
        "A\u0316\u0317\u0318\u0319\u031c",
        "Ada\u202eecalevoL",
        "\u2066Ada\u2069",
        "Ada\u200bLovelace",
        "Ada\u200cLovelace",
        "Ada\u200d",
        "\ufeffAda",
        "Ada\u0000",
        "Ada\u001fLovelace",
        "Ada\u0085Lovelace",
        "Ada\ud800",
        "\u3164",
        "\u2800",
        "Ada\ufe0f",
        "A\u20e3",
        "a b c d e f",
        "a" * 201,
        "a" * 1_000_000,
        "\U000e0041",
        "\u0640\u0640\u0640",
        "\u00aa\u00ba",
        "\u30fc",
    ],
)
def test_what_is_no_name(written: str) -> None:
    with pytest.raises(InvalidError) as caught:
        clean_person_name(written)
    assert caught.value.path == ("full_name",)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("J. Smith", "no dots: write J instead of J."),
        ("Martin King Jr.", "write Jr instead of Jr."),
        ("J.R. Ewing", "write J R instead of J.R."),
        ("Ada ...", "no dots."),
        ("\u00b7Ada", "middle dot stands between two letters"),
        ("Ada\u00b7", "middle dot stands between two letters"),
        ("Gal\u00b7\u00b7la", "middle dot stands between two letters"),
        ("Gal-\u00b7la", "middle dot stands between two letters"),
        ("Gal\u2022la", "not the character \u2022 (U+2022 BULLET)"),
        ("Ada--Marie", "no two hyphens or apostrophes in a row"),
        ("O'-Brien", "no two hyphens or apostrophes in a row"),
        ("Ada-", "no hyphen at the end of a word"),
        ("-Ada", "no hyphen at the start of a word"),
        ("Ada'", "no apostrophe at the end of a word"),
        ("R2D2", "no digits"),
        ("Ada \u0661", "no digits"),
        ("Ada!", "not the character ! (U+0021 EXCLAMATION MARK)"),
        ("Ada \U0001f600", "not the character \U0001f600 (U+1F600 GRINNING FACE)"),
        ("Ada\u200bLovelace", "not the character U+200B ZERO WIDTH SPACE."),
        ("Ada\u200d", "U+200D ZERO WIDTH JOINER."),
        ("\u0645\u06cc\u200c", "U+200C ZERO WIDTH NON-JOINER."),
        ("\u0645\u06cc\u200c-\u0645", "U+200C ZERO WIDTH NON-JOINER."),
        ("Ada\ufe0f", "U+FE0F VARIATION SELECTOR-16."),
        ("Ada\ud800", "U+D800."),
        ("Ada\u0000", "U+0000."),
        ("\u0301Ada", "mark follows a letter"),
        ("A\u0316\u0317\u0318\u0319\u031c", "at most 4 accents"),
        ("\u0640\u0640", "at least one letter"),
    ],
)
def test_it_is_said_which_rule_a_name_breaks(written: str, complaint: str) -> None:
    with pytest.raises(InvalidError) as caught:
        clean_person_name(written)
    assert complaint in caught.value.message
    caught.value.message.encode()


def test_signs_for_the_same_have_one_key() -> None:
    keys = {name_key(f"O{sign}Brien") for sign in "'\u2019\u02bc\u2018\u02bb"}
    assert keys == {"o'brien"}
    assert name_key("Anne\u2010Marie") == name_key("anne-marie")
    assert name_key(" Ada \t\u3000 Love") == "ada love"


def test_a_stored_key_fits_its_column() -> None:
    assert stored_name_key(None) is None
    assert stored_name_key("Stra\u00dfe") == "strasse"
    assert stored_name_key("\ufb03" * 200) == "ffi" * 200
    assert len(stored_name_key("\ufb03" * 200) or "") <= MAX_NAME_KEY_LENGTH


@pytest.mark.parametrize(
    "born", [date(1900, 1, 1), date(2000, 2, 29), date(2024, 2, 29), datetime.now(UTC).date()]
)
def test_birth_dates(born: date) -> None:
    check_birth_date(born, None)


@pytest.mark.parametrize(
    "born",
    [date(1, 1, 1), date(1899, 12, 31), datetime.now(UTC).date() + timedelta(days=1), date(9999, 12, 31)],
)
def test_what_is_no_birth_date(born: date) -> None:
    with pytest.raises(InvalidError) as caught:
        check_birth_date(born, None)
    assert caught.value.path == ("birth_date",)


def test_nobody_is_filmed_before_birth() -> None:
    check_birth_date(date(2001, 5, 6), date(2001, 5, 6))
    with pytest.raises(InvalidError, match="2001-05-06"):
        check_birth_date(date(2001, 5, 7), date(2001, 5, 6))
