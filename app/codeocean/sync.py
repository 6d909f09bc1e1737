"""Synchronisation: read all of the platform first, for one import of everything. An error changes nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from codeocean.components import Permissions

from app.codeocean.mapping import map_asset
from app.codeocean.people import Line, People
from app.codeocean.platform import BACKOFF_SECONDS, ListedAsset, Platform
from app.codeocean.state import SyncState
from store.users import Directory

ReportAssets = Callable[[int, int | None], None]
"""Function that is called with the numbers of assets that were read and of all, which is None before it is known."""


@dataclass(frozen=True)
class Sync:
    """One run for one deployment. Permissions that are older than `refresh_seconds` are read again."""

    url: str
    token: str
    state_file: Path
    refresh_seconds: int
    backoff_seconds: float = BACKOFF_SECONDS
    source: str = "codeocean"

    def write_catalogue(self, directory: Directory, file: Path, now: int, report: ReportAssets) -> None:
        """Write the lines of all that the platform has to a file. `now` is in seconds since 1970.

        Raises SyncError, UnreadableFileError and UnwritableFileError.
        """
        platform = Platform(self.url, self.token, backoff_seconds=self.backoff_seconds)
        state = SyncState(self.state_file, platform.url)
        assets = platform.assets(lambda count: report(count, None))
        people = People(directory)
        people.add_owners((asset.record.owner, asset.record.owner_email) for asset in assets)
        listed_ids = {asset.record.id for asset in assets}
        with file.open("wb") as stream:
            for number, (asset, permissions) in enumerate(self._read_permissions(platform, state, assets, now), 1):
                stream.write(_format(map_asset(asset, permissions, people, listed_ids, platform.url)))
                report(number, len(assets))
            for line in people.lines():  # complete only now: permissions name people too
                stream.write(_format(line))
        state.compact(assets)

    def _read_permissions(
        self, platform: Platform, state: SyncState, assets: Sequence[ListedAsset], now: int
    ) -> Iterator[tuple[ListedAsset, Permissions]]:
        """Yield each asset with its permissions, from the state or from the platform. At most one request each."""
        for asset in assets:
            permissions = state.find(asset, now - self.refresh_seconds)
            if permissions is None:
                permissions = platform.permissions(asset).to_dict()
                state.add(asset, permissions, now)
            yield asset, Permissions.from_dict(permissions)


def _format(line: Line) -> bytes:
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
