"""The commands `atoll sync`, which import the assets of a platform."""

import os
import re
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import MofNCompleteColumn

from app.commands.catalogue import DryRun, MayPruneMany, account_name, import_file
from app.commands.database import migrate_and_run
from app.commands.settings import read_settings
from app.commands.terminal import FAILURE, USAGE, exit_with, progress_bar
from store.catalogue.importer import ImportOptions
from store.database import Database
from store.ids import now_ms
from store.users import Directory, load_directory

if TYPE_CHECKING:
    from app.codeocean.sync import Sync


def sync_codeocean(
    url: Annotated[str, typer.Argument(help="Address of the deployment.", envvar="CODEOCEAN_DOMAIN", metavar="URL")],
    *,
    state: Annotated[
        Path, typer.Option(help="File that keeps the permissions that were read, for the next run.")
    ] = Path("codeocean-sync.jsonl"),
    refresh: Annotated[
        int, typer.Option(help="Read the permissions of an asset again after so many minutes.", min=0)
    ] = 60,
    dry_run: DryRun = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Withdraw the assets that the platform no longer lists.")
    ] = False,
    yes: MayPruneMany = False,
) -> None:
    """Import the capsules, pipelines, data assets and models of a Code Ocean deployment, all or nothing.

    CODEOCEAN_TOKEN is an access token of a user who may read them. Needs: pip install 'atoll[codeocean]'

    Example: CODEOCEAN_TOKEN=cop_… atoll sync codeocean https://codeocean.example.org
    """
    token = os.environ.get("CODEOCEAN_TOKEN", "")
    if not token:
        exit_with("Set CODEOCEAN_TOKEN to an access token of Code Ocean that may read all assets.", USAGE)
    if not re.fullmatch(r"https?://[^/?#\s]+/?", url):
        exit_with(f"Invalid address {url!r}. Use for example https://codeocean.example.org", USAGE)
    if find_spec("codeocean") is None:
        exit_with("atoll sync codeocean needs the SDK of Code Ocean. Run: pip install 'atoll[codeocean]'", FAILURE)
    from app.codeocean.sync import Sync  # noqa: PLC0415 - an optional dependency

    settings = read_settings()
    sync_run = Sync(url, token, state, refresh_seconds=refresh * 60)
    directory = migrate_and_run(settings, _load_directory)
    with TemporaryDirectory(prefix="atoll-sync-") as folder:
        file = Path(folder) / "codeocean.jsonl"
        _read_codeocean(sync_run, directory, file)
        options = ImportOptions(
            sync_run.source, is_dry_run=dry_run, prunes=prune, may_prune_many=yes, person=account_name()
        )
        import_file(settings, file, options, f"The catalogue of {url}")


def _read_codeocean(sync_run: "Sync", directory: Directory, file: Path) -> None:
    """Write the catalogue of a Code Ocean deployment to a file."""
    with progress_bar(MofNCompleteColumn()) as bar:
        task = bar.add_task("Reading Code Ocean", total=None)
        sync_run.write_catalogue(
            directory, file, now_ms() // 1_000, lambda count, total: bar.update(task, completed=count, total=total)
        )


async def _load_directory(database: Database) -> Directory:
    async with database.snapshot() as snapshot:
        return await load_directory(snapshot)
