import stat
import subprocess
import sys
import time
from uuid import uuid4

import jwt
import pytest

from domain.accounts.tokens import (
    SecretFileError,
    derive_key,
    issue_access_token,
    load_or_create_secret,
    read_access_token,
)
from domain.errors import NotSignedInError

SECRET = b"k" * 32
KEY = derive_key(SECRET, "access")


def _claims(**changes):
    now = int(time.time())
    claims = {
        "sub": str(uuid4()),
        "sid": str(uuid4()),
        "iat": now,
        "exp": now + 86_400,
        "type": "access",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not ...}


def test_a_token_says_who_and_until_when():
    user_id, session_id = uuid4(), uuid4()
    issued = issue_access_token(SECRET, user_id=user_id, session_id=session_id, lifetime_seconds=900)
    claims = read_access_token(issued.token, SECRET)
    assert (claims.user_id, claims.session_id, claims.expires_at) == (user_id, session_id, issued.expires_at)
    assert 890 < issued.expires_at.timestamp() - time.time() <= 900


def test_an_expired_token_says_so():
    issued = issue_access_token(SECRET, user_id=uuid4(), session_id=uuid4(), lifetime_seconds=0)
    with pytest.raises(NotSignedInError, match="expired"):
        read_access_token(issued.token, SECRET)


@pytest.mark.parametrize(
    "claims",
    [_claims(**{name: ...}) for name in ("sub", "sid", "iat", "exp", "type")]
    + [_claims(type="refresh"), _claims(sub="me"), _claims(sid="x"), _claims(sub=5), _claims(exp="soon")]
    + [_claims(exp=10**30), _claims(iat=int(time.time()) + 3600), _claims(sid=["x"]), _claims(nbf=2**40)],
)
def test_a_token_with_other_claims_is_refused(claims):
    with pytest.raises(NotSignedInError, match="not valid"):
        read_access_token(jwt.encode(claims, KEY, algorithm="HS256"), SECRET)


@pytest.mark.parametrize(
    "token",
    [
        "", "x", "a.b.c", "é", "\ud800", "x" * 100_000,
        jwt.encode(_claims(), None, algorithm="none"),
        jwt.encode(_claims(), derive_key(b"z" * 32, "access"), algorithm="HS256"),
        jwt.encode(_claims(), derive_key(SECRET, "files"), algorithm="HS256"),
        jwt.encode(_claims(), SECRET, algorithm="HS256"),
        jwt.encode(_claims(), KEY * 2, algorithm="HS512"),
        jwt.encode(_claims(), KEY, algorithm="HS256")[:-2] + "AA",
    ],
)  # fmt: skip
def test_a_token_of_somebody_else_is_refused(token):
    with pytest.raises(NotSignedInError, match="not valid"):
        read_access_token(token, SECRET)


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path):
    data_dir = tmp_path / "new" / "data"
    secret = load_or_create_secret(data_dir)
    assert len(secret) == 32
    assert load_or_create_secret(data_dir) == secret
    assert stat.S_IMODE((data_dir / "secret").stat().st_mode) == 0o600
    assert [path.name for path in data_dir.iterdir()] == ["secret"]


def test_a_secret_that_others_can_read_is_closed_to_them(tmp_path):
    load_or_create_secret(tmp_path)
    (tmp_path / "secret").chmod(0o644)
    load_or_create_secret(tmp_path)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 31, b"x" * 33, b"changeme\n" * 10])
def test_a_file_that_is_no_secret_is_refused_and_kept(tmp_path, content):
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(SecretFileError, match="32 random bytes"):
        load_or_create_secret(tmp_path)
    assert (tmp_path / "secret").read_bytes() == content


def test_processes_that_start_at_once_get_the_same_secret(tmp_path):
    program = (
        "import sys, pathlib; from domain.accounts.tokens import load_or_create_secret;"
        "sys.stdin.readline(); print(load_or_create_secret(pathlib.Path(sys.argv[1])).hex())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    secrets = {process.communicate()[0].strip() for process in processes}
    assert secrets == {(tmp_path / "secret").read_bytes().hex()}
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
