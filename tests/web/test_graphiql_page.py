"""The built GraphiQL page in a real browser, under the strict policy, with no other host within reach."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.build_web import WEB, BuildError, build
from tests.clients.node import NodeClients, skip_or_fail
from tests.web.browser import Browser
from tests.web.standin import Accounts, make_app, serve

PASSWORD = "correct horse"

# One browser for all of them.
pytestmark = pytest.mark.xdist_group("chromium")


@pytest.fixture(scope="module")
def dist() -> Path:
    try:
        build(WEB)
    except BuildError as error:
        skip_or_fail(str(error))
    return WEB / "dist"


@pytest.fixture
def accounts() -> Accounts:
    return Accounts(passwords={"ada": PASSWORD})


@pytest.fixture(scope="module")
def browser(node_clients: NodeClients) -> Iterator[Browser]:
    with Browser(node_clients) as running:
        yield running


@pytest.fixture
def page(browser: Browser, dist: Path, accounts: Accounts) -> Iterator[Browser]:
    with serve(make_app(dist, accounts)) as url:
        browser("open", url=url)
        yield browser
        found = browser("complaints")
        assert found["complaints"] == []
        assert found["violations"] == []
        assert found["hosts"] == [url.removeprefix("http://")]
        # Sockets of the page would keep the server from ending.
        browser("leave")


def sign_in(page: Browser) -> None:
    page("sign", how="Sign in", username="ada", password=PASSWORD)
    page("bar", text="Signed in as")


def test_it_loads_with_its_examples_and_its_workers(page: Browser) -> None:
    assert page("tabs") == ["Models", "MyVideos", "StartAnalysis", "WatchMyAnalyses", "MyAnalyses"]
    page("tab", title="StartAnalysis")
    # The stand-in lacks this mutation: that it is underlined is the work of the GraphQL worker.
    page("marked")
    assert page("complaints")["workers"] >= 2
    assert page("overflow") == [0, 0]
    assert page("layoutShift") < 0.01


def test_a_query_shows_its_result(page: Browser) -> None:
    sign_in(page)
    page("query", text="query Typed { mlModels { name labels } }")
    page("run")
    response = page("responseWith", text="yunet-2026may")
    assert json.loads(response) == {"data": {"mlModels": [{"name": "yunet-2026may", "labels": ["face"]}]}}


def test_without_a_session_the_servers_error_is_shown(page: Browser) -> None:
    page("run")
    assert "UNAUTHENTICATED" in page("responseWith", text="You are not signed in.")


def test_a_subscription_shows_each_result_until_it_is_stopped(page: Browser) -> None:
    sign_in(page)
    page("tab", title="WatchMyAnalyses")
    page("run")
    frames = [
        json.loads(text)["data"]["myAnalysesProgress"]["framesDone"] for text in page("responses", count=4)
    ]
    assert frames == sorted(set(frames))
    page("run")
    last = page("response")
    assert page("responsesFor", milliseconds=500) == [last]


def test_a_subscription_outlives_its_access_token(page: Browser, accounts: Accounts) -> None:
    accounts.access_token_seconds = 3
    sign_in(page)
    page("tab", title="WatchMyAnalyses")
    page("run")
    # The stand-in counts from 0 for each subscription: 40 ticks of 0.1 s are more than one token allows.
    for _ in range(2):
        page("responseWith", text='"framesDone": 9,')
        page("responseWith", text='"framesDone": 1,')
    assert "errors" not in page("response")
    assert accounts.calls.count("refreshSession") >= 2
    assert "signIn" in accounts.calls
    assert accounts.calls.count("signIn") == 1


def test_signing_in_with_a_wrong_password_says_so(page: Browser) -> None:
    page("sign", how="Sign in", username="ada", password="wrong")
    page("bar", text="The username or the password is wrong.")
    sign_in(page)


def test_signing_up_signing_out_and_in_again(page: Browser) -> None:
    page("sign", how="Sign up", username="grace", password=PASSWORD)
    assert "grace" in page("bar", text="Signed in as")
    page("signOut")
    page("bar", text="Sign in")
    page("run")
    page("responseWith", text="UNAUTHENTICATED")
    page("sign", how="Sign in", username="grace", password=PASSWORD)
    page("bar", text="Signed in as grace")


def test_a_reload_keeps_the_session_and_tokens_stay_out_of_local_storage(
    page: Browser, accounts: Accounts
) -> None:
    sign_in(page)
    page("run")
    page("responseWith", text="yunet-2026may")
    before = page("tabs")
    page("tab", title="StartAnalysis")
    page("reload")
    page("bar", text="Signed in as ada")
    assert page("tabs") == before
    stored = page("storage")
    assert [token for token in accounts.refresh if token in stored["session"]]
    assert not [token for token in [*accounts.access, *accounts.refresh] if token in stored["local"]]
    assert not [token for token in accounts.access if token in stored["session"]]
    assert PASSWORD not in stored["local"] + stored["session"]


def test_a_duplicated_tab_and_the_first_go_on_together(page: Browser, accounts: Accounts) -> None:
    accounts.access_token_seconds = 3
    sign_in(page)
    page("openCopy")
    page("bar", text="Signed in as ada")
    for tab in ("useFirstPage", "useLastPage", "useFirstPage"):
        # Past half of its life, the page renews a token as short-lived as this.
        time.sleep(2.1)
        page(tab)
        page("query", text="query Who { me { username } }")
        page("run")
        assert json.loads(page("responseWith", text="ada")) == {"data": {"me": {"username": "ada"}}}
        page("query", text="query Nobody { __typename }")
        page("run")
        page("responseWith", text="__typename")
    # One at the copy's start, one for each time that the token was old.
    assert accounts.calls.count("refreshSession") == 4
    assert list(accounts.refresh.values()) == ["ada"]


def test_a_session_that_the_server_ended_is_said(page: Browser, accounts: Accounts) -> None:
    sign_in(page)
    accounts.end("ada")
    page("run")
    page("responseWith", text="UNAUTHENTICATED")
    page("bar", text="Your session has ended. Please sign in again.")


@pytest.mark.parametrize("header", ["Authorization", "authorization"])
def test_a_typed_authorization_header_wins(page: Browser, accounts: Accounts, header: str) -> None:
    sign_in(page)
    session = accounts.issue("grace").session
    assert session is not None
    page("headers", text=json.dumps({header: f"Bearer {session.access_token}"}))
    page("query", text="query Who { me { username } }")
    page("run")
    page("responseWith", text='"username": "grace"')
    page("query", text='subscription Watch { analysisProgress(id: "x") { status } }')
    page("run")
    page("responseWith", text="SUCCEEDED")
    page("ended")
    accounts.end("grace")
    page("run")
    page("responseWith", text="UNAUTHENTICATED")
    assert "ada" in page("bar", text="Signed in as")
    assert session.access_token not in page("storage")["local"]


def test_a_server_that_goes_away_is_said(browser: Browser, dist: Path, accounts: Accounts) -> None:
    with serve(make_app(dist, accounts)) as url:
        browser("open", url=url)
    browser("run")
    browser("responseWith", text="The server cannot be reached.")
    browser("sign", how="Sign in", username="ada", password=PASSWORD)
    browser("bar", text="The server cannot be reached.")


def test_docs_and_formatting_work(page: Browser) -> None:
    page("docs")
    page("text", text="A GraphQL schema provides a root type for each kind of operation.")
    page("query", text="query   Typed{mlModels{name}}")
    page("prettify")
    page("queryWith", text="query Typed {\n  mlModels {\n    name\n  }\n}")


def test_the_colours_follow_the_system(page: Browser) -> None:
    for scheme, theme in [("dark", "vs-dark"), ("light", "vs"), ("dark", "vs-dark")]:
        page("look", scheme=scheme)
        page("editorTheme", expected=theme)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (700, 900), (400, 800)])
def test_nothing_sticks_out_of_the_window(page: Browser, width: int, height: int) -> None:
    page("look", width=width, height=height)
    assert page("overflow") == [0, 0]
    page("sign", how="Sign in", username="ada" * 40, password="wrong")
    page("bar", text="The username or the password is wrong.")
    assert page("overflow") == [0, 0]
    page("sign", how="Sign up", username="ada" * 40, password=PASSWORD)
    page("bar", text="Signed in as")
    assert page("overflow") == [0, 0]
