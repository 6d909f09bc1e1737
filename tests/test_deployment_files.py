"""Containerfile and systemd unit: every fact that they repeat is that of the code."""

import configparser
import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from typer.main import get_command

from app.cli import command_line
from app.connections import OTHER_DESCRIPTORS
from app.drain import STOP_SECONDS
from app.http_request import HEALTH_PATH
from app.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
UNIT = ROOT / "deploy" / "atoll.service"
DATABASE = "sqlite+aiosqlite:///"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Containerfile with their arguments, without comments and line breaks."""
    lines = [line for line in CONTAINERFILE.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (name, " ".join(rest.split()))
        for name, _, rest in (line.partition(" ") for line in joined.splitlines())
        if name
    ]


def of_last_stage() -> dict[str, str]:
    """Return the instructions of the image that runs; of equal ones the last."""
    last = max(number for number, (name, _) in enumerate(instructions()) if name == "FROM")
    return dict(instructions()[last:])


def unit() -> configparser.ConfigParser:
    """Return the unit. Of a repeated name, only the last value is kept."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # the documented way to keep the case of names
    parser.read(UNIT, encoding="utf-8")
    return parser


def options_of(arguments: list[str]) -> dict[str, object]:
    """Return the options of a command of `atoll` as it parses them. Raises UsageError for an unknown one."""
    name, *rest = arguments
    command = get_command(command_line).commands[name]  # type: ignore[attr-defined]  # several commands are a group
    return dict(command.make_context(name, rest).params)


def settings_in(text: str) -> set[str]:
    return set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", text))


SETTINGS = {PREFIX + each.name.upper() for each in fields(Settings)}


def test_the_image_has_a_python_that_atoll_supports_and_names_no_host() -> None:
    [version] = [rest.partition("=")[2] for name, rest in instructions() if name == "ARG"]
    assert version in SpecifierSet(PROJECT["project"]["requires-python"])
    assert f"Programming Language :: Python :: {version}" in PROJECT["project"]["classifiers"]
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert images == ["python:${PYTHON}-slim"] * 2
    assert "://" not in CONTAINERFILE.replace("http://127.0.0.1:", "").replace("sqlite+aiosqlite://", "")


def test_each_installation_in_the_image_is_locked() -> None:
    runs = [rest for name, rest in instructions() if name == "RUN"]
    installs = [command for run in runs for command in run.split("&&") if "pip install" in command]
    locked = [install for install in installs if "--require-hashes -r" in install]
    assert [re.findall(r"-r (\S+)", install) for install in locked] == [
        ["requirements.lock"],
        ["requirements-build.lock"],
    ]
    [wheel] = [install for install in installs if install not in locked]
    assert "--no-index --no-deps" in wheel


def test_files_of_the_build_are_in_its_context() -> None:
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed)
    copied = {
        word for name, rest in instructions() if name == "COPY" for word in rest.split() if word.endswith(".lock")
    }
    metadata = {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "pyproject.toml", "hatch_build.py"}
    metadata.add(".gitignore")  # or the wheel would contain node_modules
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {*copied, *metadata, *packages, "docs/examples"} == allowed
    assert (ROOT / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines() == ignored


def test_the_image_runs_the_server_without_a_shell_and_without_rights() -> None:
    stage = of_last_stage()
    assert int(stage["USER"]) > 0
    assert f"--uid {stage['USER']} " in stage["RUN"]
    assert stage["STOPSIGNAL"] == "SIGTERM"
    command = [*json.loads(stage["ENTRYPOINT"]), *json.loads(stage["CMD"])]
    assert command[0] == "atoll"
    assert options_of(command[1:])["host"] == "0.0.0.0"  # noqa: S104 - the port is published where the operator says
    assert stage["EXPOSE"] == str(options_of(command[1:])["port"])
    assert stage["COPY"].split()[1:] == ["/opt/atoll", "/opt/atoll"]
    assert "PATH=/opt/atoll/bin:" in stage["ENV"]


def test_the_health_check_asks_for_health_on_the_port() -> None:
    stage = of_last_stage()
    check = json.loads(stage["HEALTHCHECK"].partition("CMD ")[2])
    assert f"'http://127.0.0.1:{stage['EXPOSE']}{HEALTH_PATH}'" in check[-1]


def test_the_settings_of_the_image_are_valid_and_keep_data_in_the_volume() -> None:
    stage = of_last_stage()
    environment = dict(pair.split("=", 1) for pair in stage["ENV"].split())
    settings = Settings.from_environment(environment)
    assert settings.database_url.startswith(f"{DATABASE}{stage['VOLUME']}/")
    assert stage["WORKDIR"] == stage["VOLUME"]


def test_the_unit_runs_the_server_and_waits_for_its_end() -> None:
    service = unit()["Service"]
    program, *arguments = service["ExecStart"].split()
    assert program == "/opt/atoll/bin/atoll"
    assert options_of(arguments) == options_of(["serve"])
    assert int(service["TimeoutStopSec"]) == Settings().drain_seconds + STOP_SECONDS
    assert (service["KillMode"], service["Restart"]) == ("mixed", "on-failure")
    assert int(service["LimitNOFILE"]) >= Settings.max_connections + OTHER_DESCRIPTORS


def test_the_unit_keeps_data_in_its_folder_and_secrets_out_of_itself() -> None:
    service = unit()["Service"]
    folder = f"/var/lib/{service['StateDirectory']}"
    name, _, value = service["Environment"].partition("=")
    settings = Settings.from_environment({name: value})
    assert settings.database_url.startswith(f"{DATABASE}{folder}/")
    assert service["WorkingDirectory"] == folder
    assert (service["StateDirectoryMode"], service["UMask"]) == ("0700", "0077")
    assert service["EnvironmentFile"].startswith("-/etc/atoll/")


def test_the_unit_is_hardened() -> None:
    service = unit()["Service"]
    for name in ("NoNewPrivileges", "PrivateDevices", "PrivateTmp", "ProtectHome", "RestrictNamespaces"):
        assert service[name] == "yes", name
    assert service["User"] not in {"", "root"}
    assert (service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("strict", "")


@pytest.mark.parametrize("file", [ROOT / "Containerfile", UNIT], ids=lambda file: file.name)
def test_settings_that_deployment_files_name_exist(file: Path) -> None:
    named = settings_in(file.read_text(encoding="utf-8"))
    assert named
    assert named <= SETTINGS


def test_locks_have_every_dependency_of_the_image() -> None:
    names = {canonicalize_name(re.split(r"[\[=]", line)[0]) for line in PROJECT["project"]["dependencies"]}
    locked = re.findall(
        r"^([\w.-]+)(?:\[[\w,-]+\])?==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert names <= set(map(canonicalize_name, locked))
