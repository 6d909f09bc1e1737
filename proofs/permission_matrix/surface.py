"""This file is how a viewer asks the graph about assets, and what they read in its answers.

A text names what it is about by variables: `$asset`, `$crowd` and whatever else the world has ids of, and in the plural
those of all assets that are asked about together.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from proofs.permission_matrix.world import Asset, Ids
from tests.conftest import GraphQLClient

UNKNOWN = f"ast_{'0' * 24}"
TYPES = {"external": "String!", "after": "String", "registrations": "[AssetRegistration!]!"}
LISTS = {"assets": ("asset",), "assetsAndUnknown": ("asset",), "owners": ("owner",), "holders": ("collection", "crowd")}

Found = Any
"""A part of an answer."""

Read = Callable[[Found, Ids], str]
"""Returns what a part of an answer says of the asset of those ids, in the table's values."""


class Answer(NamedTuple):
    """What the graph answers: data, and the code of each error with its path."""

    data: Found
    codes: Sequence[tuple[Sequence[str | int], str]]

    def code(self, *path: str | int) -> str | None:
        """Return the code of the error at or below a path, or of the whole; None where there is none."""
        return next((code for at, code in self.codes if self.data is None or tuple(at[: len(path)]) == path), None)


@dataclass(frozen=True)
class Asking:
    """One viewer at the graph."""

    ask: GraphQLClient
    who: str
    ids: Mapping[Asset, Ids]

    async def answer(self, document: str, variables: Mapping[str, Any]) -> Answer:
        """Return what the graph answers."""
        body = (await self.ask.response(self.who, document, **variables)).json()
        codes = [(error.get("path", ()), error["extensions"]["code"]) for error in body.get("errors", ())]
        return Answer(body.get("data"), codes)

    def variables(self, names: Sequence[str], assets: Sequence[Asset]) -> dict[str, Any]:
        """Return what the variables of a text are for these assets."""
        return {name: self._variable(name, assets) for name in names}

    def _variable(self, name: str, assets: Sequence[Asset]) -> Any:
        if name == "after":
            return None
        if name == "registrations":
            return [self._registration(asset) for asset in assets]
        if name in LISTS:
            ids = dict.fromkeys(self.ids[asset][each] for asset in assets for each in LISTS[name])
            return [*ids, *([UNKNOWN] if name == "assetsAndUnknown" else [])]
        return self.ids[assets[0]][name]

    def _registration(self, asset: Asset) -> dict[str, Any]:
        ids = self.ids[asset]
        registration = {"externalId": asset.name, "kind": asset.kind, "name": asset.name, "ownerId": ids["owner"]}
        return registration | {"uses": ["tool"]}


Says = AsyncIterator[tuple["Surface", Asset, str]]
"""What a surface says of an asset, one after the other."""


class Shape(ABC):
    """How surfaces of one form are asked.

    `is_of_many` where it takes about as long for many as for one; `is_lasting` where the world is no longer what it was
    afterwards.
    """

    is_of_many: bool = True
    is_lasting: bool = False

    @abstractmethod
    def document(self, surfaces: Sequence["Surface"]) -> str:
        """Return the document that asks this; of most shapes one surface each."""

    @abstractmethod
    def ask(self, asking: Asking, surfaces: Sequence["Surface"], assets: Sequence[Asset]) -> Says:
        """Yield what each surface says of each asset that it is about."""


@dataclass(frozen=True)
class Surface:
    """Where the graph says something of an asset, how it is asked, and which word of the table it must say."""

    name: str
    word: str
    shape: Shape
    text: str
    read: Read
    about: str = ""  # what is true of assets that it says anything of
    covers: Sequence[str] = ()  # what of the schema it asks for within variables

    def is_about(self, asset: Asset) -> bool:
        """Return whether it says anything of the asset."""
        return not self.about or bool(getattr(asset, self.about))

    def __str__(self) -> str:
        """Return what asks for what."""
        return f"{self.name} ({self.word})"


def document(head: str, body: str) -> str:
    """Return the document of that body, with the variables that it names."""
    declared = ", ".join(f"${name}: {_type(name)}" for name in variables_in(body))
    return f"{head}{f'({declared})' if declared else ''} {{ {body} }}"


def _type(name: str) -> str:
    stem = name.partition("_")[0]
    return TYPES.get(stem, "[ID!]!" if stem in LISTS else "ID!")


def variables_in(text: str) -> list[str]:
    """Return the variables of a text."""
    return list(dict.fromkeys(re.findall(r"\$(\w+)", text)))
