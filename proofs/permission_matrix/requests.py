"""This file is the forms in which the graph can be asked about many assets at once."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from proofs.permission_matrix.surface import (
    LISTS,
    TYPES,
    UNKNOWN,
    Answer,
    Asking,
    Found,
    Says,
    Shape,
    Surface,
    document,
    variables_in,
)
from proofs.permission_matrix.world import Asset, Ids
from proofs.proof import BrokenPromiseError

MOST_IDS, MOST_PAGES = 100, 20
TOGETHER = 6  # assets that one document asks for by themselves: always as many, or it would be another document


@dataclass(frozen=True)
class Of(Shape):
    """Asks objects that `nodes` finds, all surfaces at once."""

    what: str  # the name of their ids
    type: str
    absent: str = "no"
    is_of_many: bool = False

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document."""
        texts = " ".join(surface.text for surface in surfaces)
        return f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {self.type} {{ {texts} }} }} }}"

    async def ask(self, asking: Asking, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Says:
        """Yield what each surface says."""
        document = self.document(surfaces)
        for some in _chunks([asset for asset in assets if self.what in asking.ids[asset]], MOST_IDS):
            answer = await asking.answer(document, {"ids": [asking.ids[asset][self.what] for asset in some]})
            for index, (asset, node) in enumerate(zip(some, answer.data["nodes"], strict=True)):
                for surface in surfaces:
                    if surface.is_about(asset):
                        nothing = answer.code("nodes", index) or self.absent
                        yield surface, asset, surface.read(node, asking.ids[asset]) if node else nothing


@dataclass(frozen=True)
class Each(Shape):
    """Asks for each asset by itself, several in a document: `@` stands for the alias, and `%` for them all within."""

    head: str = "query"
    within: str = "%"
    absent: str = "no"  # of what is within nothing
    null: str = "no"
    is_of_many: bool = False

    @property
    def _path(self) -> tuple[str, ...]:
        return () if self.within == "%" else (_first_name(self.within),)

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document."""
        (surface,) = surfaces
        fields = " ".join(_numbered(surface.text, index) for index in range(TOGETHER))
        return document(self.head, self.within.replace("%", fields))

    async def ask(self, asking: Asking, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Says:
        """Yield what each surface says."""
        for surface in surfaces:
            asked = [asset for asset in assets if surface.is_about(asset)]
            for group in _groups(asking, variables_in(self.within), asked):
                for some in _chunks(group, TOGETHER):
                    for asset, value in zip(some, await self._values(asking, surface, some), strict=True):
                        yield surface, asset, value

    async def _values(self, asking: Asking, surface: Surface, assets: Sequence[Asset]) -> list[str]:
        full = [*assets, *[assets[-1]] * (TOGETHER - len(assets))]
        variables = asking.variables(variables_in(self.within), assets)
        for index, asset in enumerate(full):
            own = asking.variables(variables_in(surface.text), [asset])
            variables |= {f"{name}_{index}": value for name, value in own.items()}
        answer = await asking.answer(self.document([surface]), variables)
        around = answer.data
        for step in self._path:
            around = around and around[step]
        return [
            self._value(surface, answer, around, f"a{index}", asking.ids[asset]) for index, asset in enumerate(assets)
        ]

    def _value(self, surface: Surface, answer: Answer, around: Found, alias: str, ids: Ids) -> str:
        if around is None:
            return answer.code(*self._path) or self.absent
        found = around[alias]
        return surface.read(found, ids) if found is not None else answer.code(*self._path, alias) or self.null


@dataclass(frozen=True)
class Listed(Shape):
    """Walks a list page after page; `%` stands for it within what has it. What is not listed is `no`."""

    within: str = "%"
    absent: str = "absent"  # of what is within nothing
    by: str = "asset"  # the name of the ids that entries are known by
    key: Callable[[Found], str] = lambda entry: str(entry["id"])
    order: Callable[[Sequence[Found]], bool] = lambda _entries: True  # whether they stand as they should

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document."""
        (surface,) = surfaces
        return document("query", self.within.replace("%", surface.text))

    async def ask(self, asking: Asking, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Says:
        """Yield what each surface says."""
        for alike in _by_text(surfaces):
            for group in _groups(asking, variables_in(self.document(alike[:1])), assets):
                entries = await self._walk(asking, alike[0], group)
                for surface, asset in product(alike, group):
                    if isinstance(entries, str):
                        yield surface, asset, entries
                    else:
                        entry = entries.get(asking.ids[asset][self.by])
                        yield surface, asset, surface.read(entry, asking.ids[asset]) if entry else "no"

    async def _walk(self, asking: Asking, surface: Surface, assets: Sequence[Asset]) -> dict[str, Found] | str:
        """Return each entry by its key; what there is instead where there is no list."""
        document = self.document([surface])
        variables = asking.variables(variables_in(document), assets)
        pages: list[Found] = []
        while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
            answer = await asking.answer(document, variables)
            page = _within(answer.data)
            if page is None:
                return answer.code() or self.absent
            pages.append(page)
            variables["after"] = page["pageInfo"]["endCursor"]
            if len(pages) > MOST_PAGES:
                raise BrokenPromiseError(f"{surface.name} has no end")
        return self._entries(surface, pages)

    def _entries(self, surface: Surface, pages: Sequence[Found]) -> dict[str, Found]:
        edges = [edge for page in pages for edge in page["edges"]]
        if {page.get("totalCount", len(edges)) for page in pages} != {len(edges)} or not self.order(edges):
            raise BrokenPromiseError(f"{surface}: what it lists, counts and orders do not agree")
        return {self.key(edge["node"]): edge for edge in edges}


@dataclass(frozen=True)
class Bulk(Shape):
    """Sends one mutation about all of them, which has a result for each."""

    is_lasting: bool = False

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document."""
        (surface,) = surfaces
        return document("mutation", surface.text)

    async def ask(self, asking: Asking, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Says:
        """Yield what each surface says."""
        for surface in surfaces:
            document = self.document([surface])
            for group in _groups(asking, variables_in(document), assets):
                answer = await asking.answer(document, asking.variables(variables_in(document), group))
                for asset in group:
                    yield surface, asset, outcome(answer, surface, asking.ids[asset])


def outcome(answer: Answer, surface: Surface, ids: Ids) -> str:
    """Return what became of an asset: why all was refused, or what its own result says."""
    if answer.data is None:
        return answer.code() or "?"
    (payload,) = answer.data.values()
    results = {result["assetId"]: result for result in payload["results"]}
    if ids["asset"] not in results:
        return payload["userErrors"][0]["code"] if payload["userErrors"] else "no"
    value = surface.read(results[ids["asset"]], ids)
    if value == "NOT_FOUND" and UNKNOWN in results and not _is_same_word(results[ids["asset"]], results[UNKNOWN]):
        return "NOT_FOUND in other words than of what is unknown"
    return value


def _is_same_word(one: Found, other: Found) -> bool:
    return all(one["error"][field] == other["error"][field] for field in ("code", "message"))


def _within(found: Found) -> Found:
    """Return the first list within an answer; None where what should have it is not there."""
    while found is not None and "edges" not in found:
        (found,) = found.values()
    return found


def _numbered(text: str, index: int) -> str:
    return re.sub(r"\$(\w+)", rf"$\1_{index}", text.replace("@", f"a{index}: "))


def _first_name(text: str) -> str:
    return str(re.findall(r"\w+", text)[0])


def _by_text(surfaces: Sequence[Surface]) -> Iterator[list[Surface]]:
    """Yield the surfaces that are asked in the same words."""
    alike: dict[str, list[Surface]] = defaultdict(list)
    for surface in surfaces:
        alike[surface.text].append(surface)
    yield from alike.values()


def _chunks(assets: Sequence[Asset], size: int) -> Iterator[Sequence[Asset]]:
    for start in range(0, len(assets), size):
        yield assets[start : start + size]


def _groups(asking: Asking, names: Sequence[str], assets: Sequence[Asset]) -> Iterator[list[Asset]]:
    """Yield the assets that have the same ids of those names."""
    same = [name for name in names if name not in (*LISTS, *TYPES)]
    groups: dict[tuple[str, ...], list[Asset]] = defaultdict(list)
    for asset in assets:
        groups[tuple(asking.ids[asset][name] for name in same)].append(asset)
    yield from groups.values()
