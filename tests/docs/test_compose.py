"""docker-compose.yml and the Dockerfile fit the settings, the commands and the tree."""

import re
import tomllib

import yaml

from settings import Settings
from storage.factory import create_storage
from tests.docs.markdown import REPOSITORY, read
from tests.docs.test_cli import commands

KNOWN = {f"FRAMEWISE_{name.upper()}" for name in Settings.model_fields}


def compose() -> dict:
    return yaml.safe_load(read("docker-compose.yml"))


def ours() -> dict[str, dict]:
    return {
        name: service for name, service in compose()["services"].items() if service["image"] == "framewise"
    }


def interpolated(text: str) -> str:
    """As compose fills it in, with `x` for what has no default."""
    return re.sub(r"\$\{\w+(?::-(.*?)|:\?.*?)?\}", lambda match: match[1] or "x", text)


def test_every_variable_is_a_setting_with_a_valid_value(monkeypatch):
    for service in ours().values():
        assert set(service["environment"]) <= KNOWN
        for name, value in service["environment"].items():
            monkeypatch.setenv(name, interpolated(str(value)))
    settings = Settings()
    assert settings.database_url.startswith("postgres://")
    assert settings.redis_url.startswith("redis://")
    assert create_storage(settings.storage_url)


def test_it_runs_commands_that_there_are():
    assert set(ours()) == {"migrate", "api", "worker"}
    for service in ours().values():
        assert f"framewise {service['command'][0]}" in commands()


def test_services_and_volumes_it_refers_to_are_there():
    services, volumes = compose()["services"], compose()["volumes"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        assert {volume.split(":")[0] for volume in service.get("volumes", ())} <= set(volumes)
    urls = " ".join(map(str, ours()["api"]["environment"].values()))
    for name in ("postgres", "valkey", "storage"):
        assert re.search(rf"[@/]{name}:\d", urls)
        assert name in services


def test_nothing_is_open_to_other_machines():
    for service in compose()["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_the_image_has_every_package_and_only_hashed_ones():
    text = read("Dockerfile")
    packages = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["root_packages"]
    for package in [*packages, "migrations"]:
        assert f"COPY {package} {package}" in text
        assert f"!{package}\n" in read(".dockerignore")
    assert "--require-hashes" in text
    assert set(re.findall(r"FRAMEWISE_[A-Z_]+", text)) <= KNOWN


def test_what_the_image_copies_is_there_and_not_ignored():
    kept = set(re.findall(r"^!(.*)$", read(".dockerignore"), re.M))
    for line in re.findall(r"^COPY (?!--from)(.*)$", read("Dockerfile"), re.M):
        for source in line.split()[:-1]:
            assert (REPOSITORY / source).exists()
            assert source in kept
