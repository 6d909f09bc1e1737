"""`atoll sync codeocean`: mapping, pages, rate limits, errors, and the state between runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from app.codeocean.error import SyncError
from app.codeocean.sync import Sync
from store.catalogue.importer import ImportOptions, import_catalogue
from store.catalogue.lines import parse_line
from store.database import Database
from store.users import Directory, load_directory
from tests.cli_process import CommandRunner
from tests.codeocean_server import CAPSULES, TOKEN, CodeOceanServer, codeocean_server
from tests.conftest import GraphQLClient, World
from tests.db_snapshot import db_snapshot
from tests.oracle import Line

HOUR = 3_600
NOW = 1_800_000_000
OLU = Directory(frozenset({"olu"}), frozenset({"lab"}), {"olu@example.org": "olu"})
RAW, SORTED, BOTH, MODEL = (f"dddddddd-0000-4000-8000-00000000000{number}" for number in (4, 5, 6, 7))
CAPSULE, RELEASE = CAPSULES[0]["id"], CAPSULES[1]["id"]


@pytest.fixture
def platform() -> Iterator[CodeOceanServer]:
    """Serve a deployment of Code Ocean."""
    with codeocean_server() as server:
        yield server


def read(platform: CodeOceanServer, folder: Path, directory: Directory = OLU, now: int = NOW) -> dict[str, Line]:
    """Return the lines of a run, by id."""
    run = Sync(platform.url, TOKEN, folder / "state", HOUR, backoff_seconds=0)
    run.write_catalogue(directory, folder / "lines", now, lambda _count, _total: None)
    lines = (folder / "lines").read_bytes().splitlines()
    for line in lines:
        parse_line(line)
    return {line["id"]: line for line in map(json.loads, lines)}


def permission_requests(platform: CodeOceanServer) -> list[str]:
    return [route.split("/")[-2] for route in platform.requests if route.endswith("/permissions")]


def test_all_pages_of_all_kinds_are_read(platform: CodeOceanServer, tmp_path: Path) -> None:
    lines = read(platform, tmp_path)
    expected = {record["id"] for records in platform.records.values() for record in records}
    assert {line["id"] for line in lines.values() if line["kind"] == "asset"} == expected
    searches = [route.split("/")[-2] for route in platform.requests if route.endswith("/search")]
    assert searches == ["capsules", "pipelines", "data_assets", "data_assets", "capsules", "pipelines", "data_assets"]


def test_a_capsule_is_mapped(platform: CodeOceanServer, tmp_path: Path) -> None:
    lines = read(platform, tmp_path)
    assert lines[CAPSULE] == {
        "kind": "asset",
        "id": CAPSULE,
        "type": "CAPSULE",
        "name": "Spike sorting",
        "owner": "u-ada",
        "grants": [],
        "description": "Sorts spikes.\r\nBy templates.",
        "tags": ["ephys", "spikes"],
        "createdAt": "2023-11-14T22:13:20Z",
        "archived": False,
        "released": False,
        "version": None,
        "url": f"{platform.url}/capsule/1234567",
        "properties": {
            "slug": ["1234567"],
            "field": ["Neuroscience"],
            "cloned_from_url": ["https://github.com/example/spikes"],
            "release_capsule": [RELEASE],
        },
    }
    release = lines[RELEASE]
    assert (release["released"], release["version"]) == (True, "2.0")
    assert release["properties"]["versions"] == ["1.1 2024-04-01T19:33:20Z", "2.0 2024-05-06T12:53:20Z"]
    assert release["properties"]["article.doi"] == ["10.1234/abcd"]
    archived = lines[CAPSULES[2]["id"]]
    assert (archived["archived"], archived["name"]) == (True, CAPSULES[2]["id"])
    assert lines["aaaaaaaa-0000-4000-8000-000000000003"]["type"] == "PIPELINE"


def test_data_assets_and_models_are_mapped_with_their_provenance(platform: CodeOceanServer, tmp_path: Path) -> None:
    lines = read(platform, tmp_path)
    raw, result, combined, model = (lines[id_] for id_ in (RAW, SORTED, BOTH, MODEL))
    assert (raw["type"], raw["dataKind"], raw["state"]) == ("DATA_ASSET", "DATASET", "READY")
    assert (raw["sizeBytes"], raw["fileCount"], raw["source"]) == (3_000_000_000, 12, "s3://lab/raw/2022")
    assert raw["properties"] == {
        "mount": ["raw"],
        "custom_metadata.subject": ["677594"],
        "custom_metadata.session date": ["1650000000"],
        "custom_metadata.modality": ["ecephys", "behavior"],
    }
    assert (result["dataKind"], result["state"], result["source"]) == ("RESULT", "FAILED", None)
    assert result["uses"] == [CAPSULE, RAW]  # without the asset that was deleted
    assert result["properties"]["provenance.commit"] == ["abc123"]
    assert result["properties"]["app_parameters"] == ["threshold=5"]
    assert (combined["dataKind"], combined["state"], combined["uses"]) == ("COMBINED", "DRAFT", [RAW, SORTED])
    assert (model["type"], model["dataKind"], model["source"]) == ("MODEL", None, "gs://models")
    assert (model["name"], raw["tags"]) == ("Segmenter \U0001f9d1\U0001f52c", ["raw", "\U0001f9d1\u200d\U0001f52c"])


def test_people_are_found_by_their_address_and_others_are_added(platform: CodeOceanServer, tmp_path: Path) -> None:
    lines = read(platform, tmp_path)
    assert lines[RELEASE]["grants"] == [
        {"to": "u-ada", "role": "OWNER"},
        {"to": "cleo@example.org", "role": "VIEWER"},
        {"to": "lab", "role": "EDITOR"},
        {"to": "everyone", "role": "DISCOVERABLE"},
    ]
    assert lines[RAW]["grants"] == [{"to": "olu", "role": "EDITOR"}]
    assert [line for line in lines.values() if line["kind"] != "asset"] == [
        {"kind": "user", "id": "u-ada", "name": "Ada", "email": "Ada@Example.org"},
        {"kind": "user", "id": "u-bob", "name": "u-bob"},
        {"kind": "user", "id": "cleo@example.org", "name": "cleo", "email": "cleo@example.org"},
    ]
    known = Directory(frozenset({"ada", "u-bob", "cleo"}), frozenset({"lab"}), {"ada@example.org": "ada"})
    lines = read(platform, tmp_path, known)
    assert lines[CAPSULE]["owner"] == "ada"
    assert [line["id"] for line in lines.values() if line["kind"] != "asset"] == ["cleo@example.org", "OLU@example.org"]
    without_group = Directory(frozenset({"olu"}), frozenset(), {"olu@example.org": "olu"})
    assert read(platform, tmp_path, without_group)["lab"] == {
        "kind": "group",
        "id": "lab",
        "name": "lab",
        "members": [],
    }


def test_requests_beyond_the_rate_wait_as_long_as_the_platform_says(
    platform: CodeOceanServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    platform.refusals = [("search", 429, {"retry-after": "7"}), (RAW, 429, {"retry-after": "3"}), (RAW, 500, {})]
    assert read(platform, tmp_path).keys() > {CAPSULE, RAW}
    assert pauses[:2] == [7, 3]


@pytest.mark.parametrize(
    ("refusals", "message"),
    [
        ([("pipelines/search", 500, {})] * 7, "refused the list of pipelines: status 500. Try again later"),
        ([("data_assets/search", 403, {})], "refused the list of data_assets: status 403. Check that CODEOCEAN_TOKEN"),
        ([(f"{RAW}/permissions", 429, {})] * 7, f"refused the permissions of {RAW}: too many requests"),
        ([(f"{RAW}/permissions", 404, {})], f"refused the permissions of {RAW}: status 404."),
    ],
)
def test_an_error_ends_the_run_without_lines(
    platform: CodeOceanServer, tmp_path: Path, refusals: list[tuple[str, int, dict[str, str]]], message: str
) -> None:
    platform.refusals = refusals
    with pytest.raises(SyncError, match=message):
        read(platform, tmp_path)


def test_answers_of_another_form_and_no_answer_are_explained(platform: CodeOceanServer, tmp_path: Path) -> None:
    platform.records["data_assets"] = [{"id": "x", "name": "no more fields"}]
    with pytest.raises(SyncError, match="in a form that this SDK does not know"):
        read(platform, tmp_path)
    platform.url = "http://127.0.0.1:9"
    with pytest.raises(SyncError, match="did not answer with the list of capsules: ConnectionError"):
        read(platform, tmp_path)


def test_a_run_goes_on_where_the_last_one_stopped(platform: CodeOceanServer, tmp_path: Path) -> None:
    platform.refusals = [(f"{RAW}/permissions", 404, {})]
    with pytest.raises(SyncError):
        read(platform, tmp_path)
    first = permission_requests(platform)
    platform.requests.clear()
    lines = read(platform, tmp_path)
    assert len(first) == 3
    assert set(permission_requests(platform)).isdisjoint(first)
    assert len([*first, *permission_requests(platform)]) == 8
    assert lines == read(platform, tmp_path / "..", now=NOW) | lines


def test_permissions_are_read_again_when_the_asset_changed_or_after_a_time(
    platform: CodeOceanServer, tmp_path: Path
) -> None:
    read(platform, tmp_path)
    platform.requests.clear()
    platform.records["data_assets"][0] |= {"last_used": 1_790_000_000}
    assert read(platform, tmp_path, now=NOW + HOUR)[RAW]["grants"] == [{"to": "olu", "role": "EDITOR"}]
    assert permission_requests(platform) == []
    platform.records["data_assets"][0] |= {"name": "Renamed"}
    platform.permissions[RAW] = {"everyone": "viewer"}
    lines = read(platform, tmp_path, now=NOW + HOUR)
    assert (lines[RAW]["name"], lines[RAW]["grants"]) == ("Renamed", [{"to": "everyone", "role": "VIEWER"}])
    assert permission_requests(platform) == [RAW]
    platform.requests.clear()
    read(platform, tmp_path, now=NOW + HOUR + 1)
    assert len(permission_requests(platform)) == 7  # all but the one that was read an hour later


def test_the_state_is_readable_by_its_owner_only_and_lines_that_are_cut_off_are_ignored(
    platform: CodeOceanServer, tmp_path: Path
) -> None:
    read(platform, tmp_path)
    state = tmp_path / "state"
    assert state.stat().st_mode & 0o077 == 0
    state.write_bytes(state.read_bytes()[:-5])
    platform.requests.clear()
    read(platform, tmp_path)
    assert len(permission_requests(platform)) == 1
    platform.requests.clear()
    read(platform, tmp_path)
    assert permission_requests(platform) == []


async def run_import(database: Database, platform: CodeOceanServer, folder: Path, *, dry_run: bool = False) -> Any:
    async with database.snapshot() as snapshot:
        directory = await load_directory(snapshot)
    read(platform, folder, directory)
    options = ImportOptions("codeocean", is_dry_run=dry_run)
    return await import_catalogue(database, folder / "lines", "sync", lambda _bytes: None, options)


async def test_a_second_run_changes_nothing_and_a_changed_permission_applies(
    ask_own: GraphQLClient, platform: CodeOceanServer, tmp_path: Path
) -> None:
    query = "query ($id: String!) { asset(by: {externalId: $id}) { ... on AssetFields { name viewerAccess } } }"
    first = await run_import(ask_own.database, platform, tmp_path)
    assert (first.created["CAPSULE"], first.created["DATA_ASSET"], first.created["user"]) == (3, 3, 2)
    assert (await ask_own("olu", query, id=RAW))["asset"] == {"name": "Raw recording", "viewerAccess": "EDITOR"}
    before = await db_snapshot(ask_own.database)
    assert not (await run_import(ask_own.database, platform, tmp_path)).has_changes
    assert await db_snapshot(ask_own.database) == before
    platform.records["data_assets"][0] |= {"name": "Renamed"}
    platform.permissions[RAW] = {}
    assert (await run_import(ask_own.database, platform, tmp_path, dry_run=True)).updated["DATA_ASSET"] == 1
    assert await db_snapshot(ask_own.database) == before
    assert (await run_import(ask_own.database, platform, tmp_path)).updated["DATA_ASSET"] == 1
    assert (await ask_own("olu", query, id=RAW))["asset"] is None


@pytest.fixture
def atoll(forker: Popen[str], tmp_path: Path, own_world: World) -> CommandRunner:
    """Return a runner of commands on a copy of the world."""
    return CommandRunner(forker, tmp_path, own_world.url)


def test_the_command_imports_all_or_nothing(
    atoll: CommandRunner, platform: CodeOceanServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = ("--state", str(tmp_path / "state"))
    assert atoll("sync", "codeocean", platform.url, *state).usage_error.startswith("Set CODEOCEAN_TOKEN to")
    monkeypatch.setenv("CODEOCEAN_TOKEN", TOKEN)
    assert atoll("sync", "codeocean", "example.org", *state).usage_error == (
        "Invalid address 'example.org'. Use for example https://codeocean.example.org"
    )
    counts = "created: 2 user, 3 CAPSULE, 1 PIPELINE, 3 DATA_ASSET, 1 MODEL; memberships added: 0\n"
    platform.refusals = [("permissions", 404, {})]
    assert atoll("sync", "codeocean", platform.url, *state).error_line.endswith("it goes on where it stopped.")
    dry_run = atoll("sync", "codeocean", platform.url, *state, "--dry-run")
    assert (dry_run.code, dry_run.err) == (0, "")
    assert dry_run.out.endswith(f"dry run, nothing was imported: {counts}")
    assert atoll("sync", "codeocean", platform.url, *state).out == counts
    del platform.records["pipelines"][:]
    assert atoll("sync", "codeocean", platform.url, *state).out.startswith("unchanged: ")
    refused = atoll("sync", "codeocean", platform.url, *state, "--prune").error_line
    assert "--yes" in refused
    pruned = atoll("sync", "codeocean", platform.url, *state, "--prune", "--yes")
    assert pruned.out.splitlines()[1] == "withdrawn, because the source has them no longer: 1"
