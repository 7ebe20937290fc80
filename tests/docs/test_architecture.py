"""docs/architecture.md fits the code it describes."""

import itertools
import re
import tomllib
from uuid import UUID

from domain.accounts import models as accounts
from domain.analyses import files as analysis_files
from domain.analyses import models as analyses
from domain.analyses.transitions import ALREADY_DONE, TRANSITIONS
from domain.duties import Duty
from domain.events import Event
from domain.people import models as people
from domain.removals import Removal
from domain.videos import files as video_files
from domain.videos import models as videos
from graphql_api.uploads.multipart.request import UPLOADS_PREFIX
from media.timeline import TimelineKind
from tests.docs.markdown import blocks, code_spans, read, rows, section

PAGE = "docs/architecture.md"
TABLES = (
    accounts.User,
    accounts.Session,
    accounts.RefreshToken,
    videos.Video,
    analyses.Analysis,
    analyses.Segment,
    analyses.Track,
    analyses.LabelTotal,
    people.FaceRegister,
    people.Person,
    people.Appearance,
    people.PersonChange,
    people.ChangedPerson,
    people.Hold,
    Event,
    Removal,
    Duty,
)


def diagrams(kind: str) -> list[str]:
    return [block.text for block in blocks(read(PAGE), "mermaid") if block.text.startswith(kind)]


def test_the_diagrams_that_were_asked_for_are_there():
    assert len(diagrams("flowchart")) >= 2
    assert len(diagrams("sequenceDiagram")) >= 2
    assert len(diagrams("erDiagram")) == 1


def test_the_table_of_statuses_is_that_of_the_code():
    listed = {cells[0]: cells[1:] for cells in rows(section(read(PAGE), "Statuses of an analysis"))}
    assert set(listed) == {action.value for action in TRANSITIONS}
    for action, (allowed, target) in TRANSITIONS.items():
        from_, to, nothing_to_do = listed[action.value]
        assert set(from_.split(", ")) == {status.value for status in allowed}
        assert to == target.value
        assert set(filter(None, nothing_to_do.split(", "))) == {
            status.value for status in ALREADY_DONE.get(action, ())
        }


def test_every_kind_of_timeline_is_described():
    listed = [code_spans(cells[0])[0] for cells in rows(section(read(PAGE), "Timelines"))]
    assert listed == [kind.value for kind in TimelineKind]


def test_every_table_is_in_the_data_model_with_columns_it_has():
    (diagram,) = diagrams("erDiagram")
    entities = dict(re.findall(r"^    (\w+) \{\n(.*?)^    \}", diagram, re.M | re.S))
    assert set(entities) == {table._meta.db_table for table in TABLES}
    for table in TABLES:
        columns = re.findall(r"^\s+\w+ (\w+)", entities[table._meta.db_table], re.M)
        assert set(columns) <= table._meta.fields_db_projection.keys()


def test_every_foreign_key_is_in_the_data_model():
    (diagram,) = diagrams("erDiagram")
    drawn = set(re.findall(r"(\w+) \|\|--o\{ (\w+)", diagram))
    # Tortoise has not been initialised here, so a relation names its table as "app.Model".
    names = {table.__name__: table._meta.db_table for table in TABLES}
    real = {
        (names[table._meta.fields_map[field].model_name.split(".")[1]], table._meta.db_table)
        for table in TABLES
        for field in table._meta.fk_fields
    }
    assert drawn == real


def test_every_kind_of_file_is_listed():
    some_id = UUID(int=0)
    listed = " ".join(code_spans(cells[0])[0] for cells in rows(section(read(PAGE), "Files in storage")))
    for key in (
        f"{UPLOADS_PREFIX}/<uuid>",
        video_files.timeline_key(some_id).replace(str(some_id), "<video id>"),
        video_files.thumbnail_key(some_id).replace(str(some_id), "<video id>"),
        video_files.detections_prefix("<sha256 of the video>"),
        analysis_files.tracked_key(some_id, 0)
        .replace(str(some_id), "<analysis id>")
        .replace("000000", "<number>"),
        analysis_files.tracker_state_key(some_id, 0)
        .replace(str(some_id), "<analysis id>")
        .replace("000000", "<number>"),
        analysis_files.overlay_key(some_id).replace(str(some_id), "<analysis id>"),
    ):
        assert key in listed


def test_the_layers_are_those_that_are_checked():
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]
    table = {code_spans(cells[0])[0] for cells in rows(section(read(PAGE), "Layers"))}
    assert table == {*contracts["root_packages"], "settings.py"}
    (street,) = [contract for contract in contracts["contracts"] if contract["name"] == "The one-way street"]
    layers = [layer.split(" | ") for layer in street["layers"]]
    expected = {
        (above, below) for upper, lower in itertools.pairwise(layers) for above in upper for below in lower
    }
    diagram = next(text for text in diagrams("flowchart") if "cli -->" in text)
    chains = [re.split(r" --> ", line.strip()) for line in diagram.splitlines()[1:]]
    drawn = {pair for chain in chains for pair in itertools.pairwise(chain)}
    assert drawn == expected
