"""State of a synchronisation between its runs: permissions that were read, in a file of JSON lines.

Entries are appended as they are read, so that a run that stops loses none. Of several entries of an asset, the last one
counts.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from app.codeocean.platform import ListedAsset
from store.catalogue.file import unreadable
from store.new_file import new_file, unwritable

Permissions = Mapping[str, Any]
Entry = dict[str, Any]
FIELDS = {"url", "id", "digest", "readAt", "permissions"}


class SyncState:
    """Permissions by asset, each with the time when they were read and the asset's entry in the list at that time."""

    def __init__(self, file: Path, url: str) -> None:
        """Read the file, if it exists, without the entries of another deployment and lines that are not whole.

        Raises UnreadableFileError.
        """
        self._file, self._url = file, url
        try:
            lines = file.read_bytes().splitlines() if file.exists() else ()
        except OSError as error:
            raise unreadable(file, error) from error
        self._entries = {entry["id"]: entry for entry in map(_parse, lines) if entry.get("url") == url}

    def find(self, asset: ListedAsset, since: int) -> Permissions | None:
        """Return the permissions of the asset if they were read since that time, and if it did not change either."""
        entry = self._entries.get(asset.record.id)
        if entry is None or entry["readAt"] < since or entry["digest"] != digest(asset):
            return None
        return dict(entry["permissions"])

    def add(self, asset: ListedAsset, permissions: Permissions, now: int) -> None:
        """Append the permissions of an asset to the file. Raises UnwritableFileError."""
        entry: Entry = {"url": self._url, "id": asset.record.id, "digest": digest(asset), "readAt": now}
        self._entries[asset.record.id] = entry | {"permissions": permissions}
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "ab") as stream:
                stream.write(_format(self._entries[asset.record.id]))
        except OSError as error:
            raise unwritable(self._file, error) from error

    def compact(self, assets: Iterable[ListedAsset]) -> None:
        """Write the file again with one entry for each of the assets. Raises UnwritableFileError."""
        with new_file(self._file) as temporary:
            ids = (asset.record.id for asset in assets)
            temporary.write_bytes(b"".join(_format(self._entries[id_]) for id_ in ids if id_ in self._entries))


def digest(asset: ListedAsset) -> str:
    """Return a digest of the asset's entry in the list, without the time of its last use, which changes often."""
    facts = asset.record.to_dict() | {"last_accessed": None, "last_used": None, "archived": asset.is_archived}
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _format(entry: Entry) -> bytes:
    return b"\n" + orjson.dumps(entry)  # a line that was cut off before stays alone


def _parse(line: bytes) -> Entry:
    """Return the entry in a line; an empty one if the line is not whole."""
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return entry if isinstance(entry, dict) and entry.keys() == FIELDS else {}
