"""How the API process is set up."""

import sys

from cli import api


def test_a_thread_that_computes_keeps_the_loop_waiting_for_less_than_a_millisecond(monkeypatch):
    """Each callback of the loop asks for Python's lock: with 5 ms each, a short query took half a second."""
    monkeypatch.setattr(api, "create_app", object)
    monkeypatch.setattr(api, "collect_rarely", lambda: None)
    interval = sys.getswitchinterval()
    try:
        api._create_app()
        assert sys.getswitchinterval() < 0.001
    finally:
        sys.setswitchinterval(interval)
