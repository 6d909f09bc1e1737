"""Forms of requests that read surfaces for many assets at once."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from proofs.permission_matrix.surface import (
    LIST_VARIABLES,
    UNKNOWN,
    VARIABLE_TYPES,
    Cells,
    RequestForm,
    Response,
    ResponsePart,
    Surface,
    ViewerClient,
    build_document,
    find_variables,
)
from proofs.permission_matrix.world import Asset, Ids
from proofs.proof import BrokenPromiseError

MAX_IDS, MAX_PAGES = 100, 20
ALIASES = 5  # per document, which has at most five mutations; padded to this number so that the document stays the same


@dataclass(frozen=True)
class NodesRequest(RequestForm):
    """Request for objects by `nodes`, for all surfaces at once."""

    id_name: str  # the variable of their ids
    type: str
    absent: str = "no"
    is_batched: bool = False

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document of the surfaces."""
        texts = " ".join(surface.text for surface in surfaces)
        return f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {self.type} {{ {texts} }} }} }}"

    async def cells(self, client: ViewerClient, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Cells:
        """Yield the values of the surfaces."""
        document = self.document(surfaces)
        for chunk in _chunks([asset for asset in assets if self.id_name in client.ids[asset]], MAX_IDS):
            response = await client.execute(document, {"ids": [client.ids[asset][self.id_name] for asset in chunk]})
            for index, (asset, node) in enumerate(zip(chunk, response.data["nodes"], strict=True)):
                refusal = response.error_code("nodes", index)
                for surface in surfaces:
                    if surface.applies_to(asset):
                        value = surface.extract(node, client.ids[asset]) if node and not refusal else self.absent
                        yield surface, asset, refusal or value


@dataclass(frozen=True)
class AliasedRequest(RequestForm):
    """Request for one asset per alias. `@` stands for the alias in the surface, `%` for all aliases in `within`."""

    head: str = "query"
    within: str = "%"
    absent: str = "no"  # value if the parent is null
    null: str = "no"
    is_batched: bool = False

    @property
    def _path(self) -> tuple[str, ...]:
        return () if self.within == "%" else (_first_word(self.within),)

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document of one surface."""
        (surface,) = surfaces
        fields = " ".join(_number_variables(surface.text, index) for index in range(ALIASES))
        return build_document(self.head, self.within.replace("%", fields))

    async def cells(self, client: ViewerClient, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Cells:
        """Yield the values of the surfaces."""
        for surface in surfaces:
            applicable = [asset for asset in assets if surface.applies_to(asset)]
            for group in _group_by_ids(client, find_variables(self.within), applicable):
                for chunk in _chunks(group, ALIASES):
                    for asset, value in zip(chunk, await self._values(client, surface, chunk), strict=True):
                        yield surface, asset, value

    async def _values(self, client: ViewerClient, surface: Surface, assets: Sequence[Asset]) -> list[str]:
        padded = [*assets, *[assets[-1]] * (ALIASES - len(assets))]
        variables = client.variables(find_variables(self.within), assets)
        for index, asset in enumerate(padded):
            own = client.variables(find_variables(surface.text), [asset])
            variables |= {f"{name}_{index}": value for name, value in own.items()}
        response = await client.execute(self.document([surface]), variables)
        parent = response.data
        for step in self._path:
            parent = parent and parent[step]
        return [
            self._value(surface, response, parent, f"a{index}", client.ids[asset]) for index, asset in enumerate(assets)
        ]

    def _value(self, surface: Surface, response: Response, parent: ResponsePart, alias: str, ids: Ids) -> str:
        if parent is None:
            return response.error_code(*self._path) or self.absent
        value = parent[alias]
        return (
            surface.extract(value, ids) if value is not None else response.error_code(*self._path, alias) or self.null
        )


@dataclass(frozen=True)
class PagedRequest(RequestForm):
    """Request for a list, page by page. `%` stands for the list in `within`. The value of an unlisted asset is "no"."""

    within: str = "%"
    absent: str = "absent"  # value if the parent is null
    by: str = "asset"  # the variable of the ids that identify entries
    key: Callable[[ResponsePart], str] = lambda entry: str(entry["id"])
    order: Callable[[Sequence[ResponsePart]], bool] = lambda _entries: True  # whether they have the requested order

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document of one surface."""
        (surface,) = surfaces
        return build_document("query", self.within.replace("%", surface.text))

    async def cells(self, client: ViewerClient, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Cells:
        """Yield the values of the surfaces."""
        for equal in _group_by_text(surfaces):
            for group in self._groups(client, equal[0], assets):
                entries = await self._walk(client, equal[0], group)
                for surface, asset in product(equal, group):
                    if isinstance(entries, str):
                        yield surface, asset, entries
                    else:
                        entry = entries.get(client.ids[asset][self.by])
                        yield surface, asset, surface.extract(entry, client.ids[asset]) if entry else "no"

    def _groups(self, client: ViewerClient, surface: Surface, assets: Sequence[Asset]) -> Iterator[Sequence[Asset]]:
        """Yield groups of assets that fit into one request."""
        names = find_variables(self.document([surface]))
        ids_per_asset = max((len(LIST_VARIABLES[name]) for name in names if name in LIST_VARIABLES), default=0)
        for group in _group_by_ids(client, names, assets):
            yield from _chunks(group, MAX_IDS // ids_per_asset if ids_per_asset else len(group))

    async def _walk(
        self, client: ViewerClient, surface: Surface, assets: Sequence[Asset]
    ) -> dict[str, ResponsePart] | str:
        """Return the entries by key, or the value to use if there is no list."""
        document = self.document([surface])
        variables = client.variables(find_variables(document), assets)
        pages: list[ResponsePart] = []
        while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
            response = await client.execute(document, variables)
            page = _find_list(response.data)
            if page is None:
                return response.error_code() or self.absent
            pages.append(page)
            variables["after"] = page["pageInfo"]["endCursor"]
            if len(pages) > MAX_PAGES:
                raise BrokenPromiseError(f"{surface.name} has more than {MAX_PAGES} pages")
        return self._entries(surface, pages)

    def _entries(self, surface: Surface, pages: Sequence[ResponsePart]) -> dict[str, ResponsePart]:
        edges = [edge for page in pages for edge in page["edges"]]
        if {page.get("totalCount", len(edges)) for page in pages} != {len(edges)} or not self.order(edges):
            raise BrokenPromiseError(f"{surface}: the items do not match the total count or the order")
        return {self.key(edge["node"]): edge for edge in edges}


@dataclass(frozen=True)
class BulkRequest(RequestForm):
    """Request of one mutation for all assets, with a result for each."""

    has_effect: bool = False

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document of one surface."""
        (surface,) = surfaces
        return build_document("mutation", surface.text)

    async def cells(self, client: ViewerClient, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Cells:
        """Yield the values of the surfaces."""
        for surface in surfaces:
            document = self.document([surface])
            for group in _group_by_ids(client, find_variables(document), assets):
                response = await client.execute(document, client.variables(find_variables(document), group))
                self._check_effect(surface, response)
                for asset in group:
                    yield surface, asset, item_outcome(response, surface, client.ids[asset])

    def _check_effect(self, surface: Surface, response: Response) -> None:
        """Raise BrokenPromiseError if the payload shows the effect on another asset than those that were changed."""
        (payload,) = response.data.values()
        if payload is None or "addedEdges" not in payload:
            return
        affected = {*payload["removedAssetIds"], *(edge["node"]["id"] for edge in payload["addedEdges"])}
        changed = {result["assetId"] for result in payload["results"] if result["status"] == "CHANGED"}
        if affected != (changed if self.has_effect else set()):
            raise BrokenPromiseError(f"{surface}: changed {sorted(changed)}, and shows an effect on {sorted(affected)}")


@dataclass(frozen=True)
class GraphRequest(RequestForm):
    """Request for all rows that the viewer sees, page by page, for all surfaces at once.

    Their part of the response counts, by list, the values of each row. A sync right after it must have no row.
    """

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document of the surfaces."""
        texts = " ".join(surface.text for surface in surfaces)
        removed = "removedIds removedMemberships { collectionId assetId } removedUses { assetId usesAssetId }"
        fields = f"{texts} topics {{ id }} collections {{ id }} users {{ id }} {removed}"
        info = "pageInfo { hasNextPage endCursor } syncToken"
        return build_document("query", f"collectionGraph(after: $after, since: $since) {{ {fields} {info} }}")

    async def cells(self, client: ViewerClient, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Cells:
        """Yield the values of the surfaces."""
        rows, token = await self._pull(client, surfaces, None)
        changes, _ = await self._pull(client, surfaces, token)
        if any(changes.values()):
            raise BrokenPromiseError(f"{client.who} gets rows that did not change: {changes}")
        for surface, asset in product(surfaces, assets):
            if surface.applies_to(asset):
                yield surface, asset, surface.extract(rows, client.ids[asset])

    async def _pull(
        self, client: ViewerClient, surfaces: Sequence[Surface], since: str | None
    ) -> tuple[dict[str, Counter[tuple[str, ...]]], str]:
        """Return the rows since the token, or all, and the next token."""
        rows: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
        after = None
        while True:
            response = await client.execute(self.document(surfaces), {"after": after, "since": since})
            page = response.data["collectionGraph"]
            info, token = page.pop("pageInfo"), page.pop("syncToken")
            for name, listed in page.items():
                rows[name].update(tuple(row.values()) if isinstance(row, dict) else (row,) for row in listed)
            if not info["hasNextPage"]:
                return rows, token
            after = info["endCursor"]


def item_outcome(response: Response, surface: Surface, ids: Ids) -> str:
    """Return the outcome for an asset: the error of the whole mutation, or the asset's own result."""
    (payload,) = response.data.values()
    if payload is None:
        return response.error_code() or "?"
    results = {result["assetId"]: result for result in payload["results"]}
    if ids["asset"] not in results:
        return payload["userErrors"][0]["code"] if payload["userErrors"] else "no"
    value = surface.extract(results[ids["asset"]], ids)
    if value == "NOT_FOUND" and UNKNOWN in results and not _has_same_error(results[ids["asset"]], results[UNKNOWN]):
        return "NOT_FOUND with another message than for an unknown id"
    return value


def _has_same_error(one: ResponsePart, other: ResponsePart) -> bool:
    return all(one["error"][field] == other["error"][field] for field in ("code", "message"))


def _find_list(value: ResponsePart) -> ResponsePart:
    """Return the first list in a response; None if its parent is null."""
    while value is not None and "edges" not in value:
        (value,) = value.values()
    return value


def _number_variables(text: str, index: int) -> str:
    return re.sub(r"\$(\w+)", rf"$\1_{index}", text.replace("@", f"a{index}: "))


def _first_word(text: str) -> str:
    return str(re.findall(r"\w+", text)[0])


def _group_by_text(surfaces: Sequence[Surface]) -> Iterator[list[Surface]]:
    """Yield the surfaces that are read by the same request."""
    equal: dict[str, list[Surface]] = defaultdict(list)
    for surface in surfaces:
        equal[surface.text].append(surface)
    yield from equal.values()


def _chunks(assets: Sequence[Asset], size: int) -> Iterator[Sequence[Asset]]:
    for start in range(0, len(assets), size):
        yield assets[start : start + size]


def _group_by_ids(client: ViewerClient, names: Sequence[str], assets: Sequence[Asset]) -> Iterator[list[Asset]]:
    """Yield groups of assets that have the same ids for those names and so fit into one request."""
    shared_names = [name for name in names if name not in (*LIST_VARIABLES, *VARIABLE_TYPES)]
    groups: dict[tuple[str, ...], list[Asset]] = defaultdict(list)
    for asset in assets:
        groups[tuple(client.ids[asset][name] for name in shared_names)].append(asset)
    yield from groups.values()
