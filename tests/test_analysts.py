"""Recipes of docs/analysts.md: the code of the page against a server, with a page size that makes several pages."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from store import sql
from tests.client_process import CLIENTS, install_python_clients, run_python
from tests.conftest import ANONYMOUS, World
from tests.live_server import LiveServer, serve
from tests.mutations import Mutation

PAGE = (Path(__file__).parents[1] / "docs" / "analysts.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(?:python|sql|graphql)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
MAX_LINES = 30
PAGE_SIZE = 7
TABLES = ("topics", "collections", "assets", "users", "memberships", "uses")
ONLY_FIELD = {"topic": "id", "parent": "id", "owner": "id", "goldStandard": "awardedAt"}

PRINT = f"""
import json
print(json.dumps({{
    name: json.loads(frames[name].to_json(orient="records", date_format="iso")) for name in {TABLES}
}}))
"""
PRINT_FRAMES = f"""
from frames import read_frames
frames = read_frames()[0]
{PRINT}"""
SYNC = """
import mirror
mirror.sync("mirror.duckdb")
"""
FAILING_SYNC = """
import duckdb, mirror
mirror.KEYS["absent"] = "id"
try:
    mirror.sync("mirror.duckdb")
except duckdb.CatalogException:
    pass
else:
    raise AssertionError
"""
PRINT_MIRROR = f"""
import duckdb
with duckdb.connect("mirror.duckdb") as db:
    frames = {{name: db.table(name).df() for name in {TABLES}}}
{PRINT}"""
PLANT = """
import duckdb
with duckdb.connect("mirror.duckdb") as db:
    db.execute("INSERT INTO topics VALUES ('planted', 'planted', 'planted')")
"""
ASK = """
import runpy, sys
for question in ("assets_in_most_collections", "unused_gold_standards", "pipelines_without_dependencies"):
    sys.argv = ["ask.py", f"{question}.sql"]
    runpy.run_path("ask.py")
"""
DRAW = """
import json, picture
colours = {tuple(colour) for row in picture.plt.imread("collections.png") for colour in row}
edges = [[*sorted([one, other]), assets] for one, other, assets in picture.shared.edges(data="weight")]
print(json.dumps({"nodes": [*picture.shared], "edges": edges, "colours": len(colours)}))
"""

Rows = dict[str, list[dict[str, Any]]]


class Analyst:
    """A viewer with the recipes in a folder, and the server that they pull from."""

    def __init__(self, live: LiveServer, folder: Path, who: str) -> None:
        """Write the recipes into the folder."""
        self.live, self.folder, self.who = live, folder, who
        folder.mkdir()
        for block in BLOCKS:
            (folder / file_name(block)).write_text(block, encoding="utf-8")
        self.replace("graph.graphql", "collectionGraph(", f"collectionGraph(first: {PAGE_SIZE}, ")

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace the text in a file; fail if it is not there."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    async def run(self, *arguments: str) -> str:
        """Run Python with the arguments in the folder, and return its output."""
        variables = {
            "GRAPHQL_URL": f"http://127.0.0.1:{self.live.port}/graphql",
            "TOKEN": self.live.ask.tokens.get(self.who, ""),
        }
        # The server runs in this event loop.
        return await asyncio.to_thread(run_python, self.folder, "-W", "error", *arguments, **variables)

    async def sync(self, script: str = SYNC) -> Rows:
        """Sync the mirror by the script, and return its rows."""
        rows: Rows = json.loads(await self.run("-c", script + PRINT_MIRROR))
        return rows

    async def expected(self) -> Rows:
        """Return the rows that the viewer sees, as the recipes have them."""
        text = (self.folder / "graph.graphql").read_text(encoding="utf-8")
        graph = (await self.live.ask(self.who, text.replace(f"first: {PAGE_SIZE}", "first: 1000")))["collectionGraph"]
        position: defaultdict[str, int] = defaultdict(int)
        for row in graph["memberships"]:
            position[row["collectionId"]] += 1
            row["position"] = position[row["collectionId"]]
        return {name: [flatten(row) for row in graph[name]] for name in TABLES}


def flatten(row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a row: an object is a column with the name and the value of its only field."""
    columns = {}
    for name, value in row.items():
        field = ONLY_FIELD.get(name)
        columns[f"{name}_{field}" if field else name] = value[field] if field and value else value
    return columns


def file_name(block: str) -> str:
    """Return the name in the first line of a block."""
    match = re.match(r"(?:#|--) ([a-z_]+\.[a-z]+)(?::|$)", block, re.MULTILINE)
    assert match, block
    return match[1]


def in_order(rows: Rows) -> Rows:
    """Return the rows sorted, for comparison: memberships have their positions."""
    return {name: sorted(rows[name], key=json.dumps) for name in rows}


@pytest.fixture
async def live(own_world: World) -> AsyncIterator[LiveServer]:
    await asyncio.to_thread(install_python_clients)
    async with serve(own_world) as server:
        yield server


async def change(live: LiveServer, who: str, name: str, /, **input: Any) -> None:
    """Run a mutation that must succeed."""
    assert (await Mutation(name, "__typename")(live.ask, who, **input))["userErrors"] == []


async def add(live: LiveServer, collection: str, *assets: str) -> None:
    ids = [live.ids[asset] for asset in assets]
    await change(live, "olu", "collectionAssetsAdd", collectionId=live.ids[collection], assetIds=ids)


async def award(live: LiveServer, *assets: str) -> None:
    for asset in assets:
        await change(live, "ada", "assetGoldStandardSet", assetId=live.ids[asset], awarded=True)


# Frames


@pytest.mark.parametrize("who", ["ada", "eve"])
async def test_the_frames_have_the_rows_that_the_viewer_sees(live: LiveServer, tmp_path: Path, who: str) -> None:
    await award(live, "blast")
    analyst = Analyst(live, tmp_path / who, who)
    expected = await analyst.expected()
    assert sum(map(len, expected.values())) > 3 * PAGE_SIZE
    assert in_order(json.loads(await analyst.run("-c", PRINT_FRAMES))) == in_order(expected)


async def test_visitors_pull_full_pages_without_headers(live: LiveServer, tmp_path: Path) -> None:
    visitor = Analyst(live, tmp_path / "visitor", ANONYMOUS)
    visitor.replace("graph.graphql", f"first: {PAGE_SIZE}, ", "")
    visitor.replace("pull.py", """        headers={"Authorization": f"Bearer {os.environ['TOKEN']}"},\n""", "")
    expected = await visitor.expected()
    assert (expected["users"], len(expected["assets"])) == ([], 2)
    assert in_order(json.loads(await visitor.run("-c", PRINT_FRAMES))) == in_order(expected)


async def test_the_example_of_pandas_counts_the_visible_assets(live: LiveServer, tmp_path: Path) -> None:
    sizes = await Analyst(live, tmp_path / "eve", "eve").run("collection_sizes.py")
    assert sizes.split() == ["deep,1", "inner,2", "members,1", "open,4"]


async def test_a_pull_waits_when_the_user_has_no_points_left(own_world: World, tmp_path: Path) -> None:
    await asyncio.to_thread(install_python_clients)
    async with serve(own_world, rate_points=150, rate_burst=250) as live:
        analyst = Analyst(live, tmp_path / "eve", "eve")
        pulled = json.loads(await analyst.run("-c", "import json, pull\npull.pull()\nprint(json.dumps(pull.pull()))"))
        assert len(pulled[0]["assets"]) == len((await analyst.expected())["assets"])


# Mirror


async def test_the_mirror_equals_a_fresh_pull_after_changes(live: LiveServer, tmp_path: Path) -> None:
    analyst, ids = Analyst(live, tmp_path / "eve", "eve"), live.ids
    await add(live, "bare", "align")
    before = await analyst.sync()
    assert in_order(before) == in_order(await analyst.expected())

    await add(live, "inner", "count")
    for collection, asset in (("bare", "align"), ("inner", "explore")):  # bare becomes empty
        removed = {"collectionId": ids[collection], "assetIds": [ids[asset]]}
        await change(live, "olu", "collectionAssetsRemove", **removed)
    moved = {"collectionId": ids["open"], "assetIds": [ids["count"]], "position": {"atStart": True}}
    await change(live, "ada", "collectionAssetsReorder", **moved)
    await change(live, "ada", "topicUpdate", id=ids["empty"], name="renamed")
    await change(live, "ada", "collectionDelete", id=ids["deep"])
    after = await analyst.sync(PLANT + SYNC)
    planted = {"id": "planted", "slug": "planted", "name": "planted"}
    assert planted in after["topics"]  # what did not change was not replaced
    after["topics"].remove(planted)
    expected = await analyst.expected()
    assert in_order(after) == in_order(expected)
    assert [name for name in TABLES if in_order(before)[name] != in_order(expected)[name]] == [
        "topics",
        "collections",
        "memberships",
    ]


async def test_the_mirror_loses_what_is_no_longer_shared(live: LiveServer, tmp_path: Path) -> None:
    analyst, ids = Analyst(live, tmp_path / "eve", "eve"), live.ids
    assert ids["align"] in {row["id"] for row in (await analyst.sync())["assets"]}
    revoked = [{"everyone": True}, {"public": True}]
    await change(live, "olu", "assetGrantsUpdate", assetId=ids["align"], revoke=revoked)
    after = await analyst.sync()
    assert ids["align"] not in json.dumps(after)
    assert in_order(after) == in_order(await analyst.expected())


async def test_the_mirror_begins_again_when_its_token_has_expired(live: LiveServer, tmp_path: Path) -> None:
    analyst = Analyst(live, tmp_path / "eve", "eve")
    await analyst.sync(SYNC + PLANT)
    await add(live, "bare", "align")
    await live.write(update(sql.pull).values(expires_at=1))
    assert in_order(await analyst.sync()) == in_order(await analyst.expected())


async def test_a_sync_that_fails_changes_nothing(live: LiveServer, tmp_path: Path) -> None:
    analyst = Analyst(live, tmp_path / "eve", "eve")
    before = await analyst.sync()
    await add(live, "bare", "align")
    assert await analyst.sync(FAILING_SYNC) == before
    assert in_order(await analyst.sync()) == in_order(await analyst.expected())


# Questions


ANSWERS = {
    "olu": """
        name,kind,collections
        count,PIPELINE,3
        align,CAPSULE,2
        blast,CAPSULE,2
        genomes,DATA_ASSET,2
        hidden,DATA_ASSET,2
        images,DATA_ASSET,2
        lens,MODEL,2
        explore,NO_CODE_APP,1
        junk,DATA_ASSET,1
        kept,MODEL,1
        name,kind
        blast,CAPSULE
        collection,pipeline,missing
        bare,count,align
        bare,count,hidden
        inner,count,hidden
    """,
    # She sees neither what uses genomes nor hidden.
    "mei": """
        name,kind,collections
        count,PIPELINE,3
        align,CAPSULE,2
        blast,CAPSULE,2
        genomes,DATA_ASSET,2
        images,DATA_ASSET,2
        lens,MODEL,2
        explore,NO_CODE_APP,1
        name,kind
        blast,CAPSULE
        genomes,DATA_ASSET
        collection,pipeline,missing
        bare,count,align
    """,
}


@pytest.mark.parametrize("who", ANSWERS)
async def test_the_questions_are_answered_for_the_viewer(live: LiveServer, tmp_path: Path, who: str) -> None:
    await add(live, "inner", "count")
    await add(live, "bare", "count")
    await award(live, "blast", "genomes", "align")
    assert (await Analyst(live, tmp_path / who, who).run("-c", SYNC + ASK)).split() == ANSWERS[who].split()


# Picture


async def test_the_picture_has_the_collections_and_the_assets_that_they_share(live: LiveServer, tmp_path: Path) -> None:
    drawn = json.loads(await Analyst(live, tmp_path / "olu", "olu").run("-c", DRAW))
    name_of = {id_: name for name, id_ in live.ids.items()}
    assert [name_of[id_] for id_ in drawn["nodes"]] == ["bare", "deep", "inner", "members", "open"]
    edges = {(*sorted(map(name_of.__getitem__, pair)), assets) for *pair, assets in drawn["edges"]}
    assert edges == {
        ("deep", "members", 1),  # genomes
        ("deep", "open", 1),  # lens
        ("inner", "members", 1),  # images
        ("inner", "open", 1),  # align
        ("members", "open", 2),  # blast, hidden
    }
    assert drawn["colours"] > 3


# The page


def test_each_recipe_has_at_most_thirty_lines() -> None:
    lines = {file_name(block): len([line for line in block.splitlines() if line]) for block in BLOCKS}
    assert len(lines) == len(BLOCKS) == 10
    assert {name: number for name, number in lines.items() if name.endswith(".py") and number > MAX_LINES} == {}


def test_the_packages_are_those_of_the_tests() -> None:
    [packages] = re.findall(r"^pip install (.*)$", PAGE, re.MULTILINE)
    named = dict(re.findall(r"([a-z]+)(?:\[\w+\])?==([\d.]+)", packages))
    tested = dict(
        re.findall(r"^([\w-]+)(?:\[.*\])?==(.+)$", (CLIENTS / "requirements.in").read_text("ascii"), re.MULTILINE)
    )
    assert len(named) == 5
    assert named == {name: tested[name] for name in named}
