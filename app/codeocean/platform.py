"""Reader of a Code Ocean deployment by its SDK: lists of assets, and the permissions of each.

The SDK is an optional dependency, so only the command that needs it imports this module.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeVar

import requests
from codeocean import CodeOcean
from codeocean.capsule import Capsule, CapsuleSearchParams, CapsuleSortBy
from codeocean.components import Permissions, SortOrder
from codeocean.data_asset import DataAsset, DataAssetSearchParams, DataAssetSortBy
from codeocean.error import Error
from urllib3.util import Retry

from app.codeocean.error import SyncError

PAGE_SIZE: Final = 1_000
"""Assets in a page of a search: the most that the platform allows."""
RETRIES: Final = 6
BACKOFF_SECONDS: Final = 1
MAX_WAIT_SECONDS: Final = 600
"""Longest pause that the platform may ask for by `Retry-After`."""
RETRIED_STATUSES: Final = (429, 500, 502, 503, 504)

ReportCount = Callable[[int], None]
Result = TypeVar("Result")


class PlatformKind(StrEnum):
    """Kinds of assets that the platform lists separately."""

    CAPSULE = "capsule"
    PIPELINE = "pipeline"
    DATA_ASSET = "data_asset"


@dataclass(frozen=True)
class ListedAsset:
    """Asset as a search returns it."""

    kind: PlatformKind
    record: Capsule | DataAsset
    is_archived: bool


class Platform:
    """Client of one deployment. It waits and repeats requests that the platform refuses for their rate, or fails."""

    def __init__(self, url: str, token: str, *, backoff_seconds: float = BACKOFF_SECONDS) -> None:
        """Prepare requests with this token, without sending any."""
        self.url = url.rstrip("/")
        retries = Retry(
            total=RETRIES,
            status_forcelist=RETRIED_STATUSES,
            allowed_methods=None,  # searches are POST requests, and change nothing either
            backoff_factor=backoff_seconds,
            retry_after_max=MAX_WAIT_SECONDS,
            raise_on_status=False,  # the SDK raises its own error
        )
        self._client = CodeOcean(domain=self.url, token=token, retries=retries)

    def assets(self, report: ReportCount) -> list[ListedAsset]:
        """Return all assets that the token's user can find, archived ones too; report their number meanwhile.

        An asset that was archived meanwhile is returned once. Raises SyncError.
        """
        assets: dict[str, ListedAsset] = {}
        for is_archived in (False, True):
            for kind in PlatformKind:
                for record in self._pages(kind, is_archived=is_archived):
                    assets[record.id] = ListedAsset(kind, record, is_archived)
                    report(len(assets))
        return list(assets.values())

    def permissions(self, asset: ListedAsset) -> Permissions:
        """Return the permissions of an asset. One request. Raises SyncError."""
        get_by_kind: dict[PlatformKind, Callable[[str], Permissions]] = {
            PlatformKind.CAPSULE: self._client.capsules.get_permissions,
            PlatformKind.PIPELINE: self._client.pipelines.get_permissions,
            PlatformKind.DATA_ASSET: self._client.data_assets.get_permissions,
        }
        id_ = asset.record.id
        return self._request(f"the permissions of {id_}", partial(get_by_kind[asset.kind], id_))

    def _pages(self, kind: PlatformKind, *, is_archived: bool) -> Iterator[Any]:
        """Yield the assets of a kind, the oldest first: those that are created meanwhile come last."""
        search_by_kind: dict[PlatformKind, Callable[[Any], Any]] = {
            PlatformKind.CAPSULE: self._client.capsules.search_capsules,
            PlatformKind.PIPELINE: self._client.pipelines.search_pipelines,
            PlatformKind.DATA_ASSET: self._client.data_assets.search_data_assets,
        }
        is_data = kind is PlatformKind.DATA_ASSET
        params_type = DataAssetSearchParams if is_data else CapsuleSearchParams
        params = params_type(
            limit=PAGE_SIZE,
            archived=is_archived,
            sort_field=DataAssetSortBy.Created if is_data else CapsuleSortBy.Created,
            sort_order=SortOrder.Ascending,
        )
        while True:
            page = self._request(f"the list of {kind}s", partial(search_by_kind[kind], params))
            yield from page.results
            if not page.has_more:
                return
            params = params_type(**params.to_dict() | {"next_token": page.next_token})

    def _request(self, what: str, send: Callable[[], Result]) -> Result:
        """Return the answer to a request; raise SyncError if there is none that can be used."""
        try:
            return send()
        except Error as error:
            raise SyncError(f"{self.url} refused {what}: {_explain(error.status_code)}") from error
        except requests.RequestException as error:
            raise SyncError(f"{self.url} did not answer with {what}: {type(error).__name__}. Try again.") from error
        except (KeyError, TypeError, ValueError) as error:
            raise SyncError(
                f"{self.url} answered with {what} in a form that this SDK does not know. Update it: pip install -U"
                " codeocean"
            ) from error


def _explain(status: int) -> str:
    match status:
        case 401 | 403:
            return f"status {status}. Check that CODEOCEAN_TOKEN is valid and may read all assets."
        case 429:
            return "too many requests, also after pauses. Try again later: it goes on where it stopped."
        case _:
            return f"status {status}. Try again later: it goes on where it stopped."
