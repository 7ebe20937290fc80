"""docs/api.md names every kind of event."""

from domain.events import EventKind
from tests.docs.markdown import code_spans, read, section


def test_every_kind_of_event_is_listed():
    spans = code_spans(section(read("docs/api.md"), "Events"))
    assert {kind.value for kind in EventKind} <= set(spans)
    assert {span for span in spans if span.startswith(("VIDEO_", "ANALYSIS_"))} == {
        kind.value for kind in EventKind
    }
