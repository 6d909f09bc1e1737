"""Surfaces, the places where the API exposes an asset, and the client that reads them as a viewer.

A surface names its objects by variables: `$asset`, `$crowd` and other ids of the world. Plural variables list the ids
of all assets of the request.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from proofs.permission_matrix.world import Asset, Ids
from tests.conftest import GraphQLClient

UNKNOWN = f"ast_{'0' * 24}"
VARIABLE_TYPES = {"external": "String!", "after": "String", "since": "String", "registrations": "[AssetRegistration!]!"}
LIST_VARIABLES = {
    "assets": ("asset",),
    "assetsAndUnknown": ("asset",),
    "owners": ("owner",),
    "holders": ("collection", "crowd"),
}

ResponsePart = Any
"""Part of a response."""

Extractor = Callable[[ResponsePart, Ids], str]
"""Reduces a part of a response to a value of the matrix, for the asset with those ids."""


class Response(NamedTuple):
    """Response of the API: data, and each error's path and code."""

    data: ResponsePart
    errors: Sequence[tuple[Sequence[str | int], str]]

    def error_code(self, *path: str | int) -> str | None:
        """Return the code of the error at or below a path, or of the whole response; None if there is none."""
        return next(
            (code for error_path, code in self.errors if self.data is None or tuple(error_path[: len(path)]) == path),
            None,
        )


@dataclass(frozen=True)
class ViewerClient:
    """Client of one viewer."""

    graphql: GraphQLClient
    who: str
    ids: Mapping[Asset, Ids]

    async def execute(self, document: str, variables: Mapping[str, Any]) -> Response:
        """Execute the document and return the response."""
        body = (await self.graphql.response(self.who, document, **variables)).json()
        errors = [(error.get("path", ()), error["extensions"]["code"]) for error in body.get("errors", ())]
        return Response(body.get("data"), errors)

    def variables(self, names: Sequence[str], assets: Sequence[Asset]) -> dict[str, Any]:
        """Return the values of the named variables for these assets."""
        return {name: self._variable(name, assets) for name in names}

    def _variable(self, name: str, assets: Sequence[Asset]) -> Any:
        if name == "after":
            return None
        if name == "registrations":
            return [self._registration(asset) for asset in assets]
        if name in LIST_VARIABLES:
            ids = dict.fromkeys(self.ids[asset][id_name] for asset in assets for id_name in LIST_VARIABLES[name])
            return [*ids, *([UNKNOWN] if name == "assetsAndUnknown" else [])]
        return self.ids[assets[0]][name]

    def _registration(self, asset: Asset) -> dict[str, Any]:
        ids = self.ids[asset]
        registration = {"externalId": asset.name, "kind": asset.kind, "name": asset.name, "ownerId": ids["owner"]}
        return registration | {"uses": ["tool"]}


Cells = AsyncIterator[tuple["Surface", Asset, str]]
"""Pairs of surface and asset with the value that the surface returned."""


class RequestForm(ABC):
    """Way of requesting surfaces, usually for several assets at once.

    `is_batched` if many assets take about as long as one; `has_effect` if the request changes the world.
    """

    is_batched: bool = True
    has_effect: bool = False

    @abstractmethod
    def document(self, surfaces: Sequence["Surface"]) -> str:
        """Return the document that requests the surfaces; most forms take one surface."""

    @abstractmethod
    def cells(self, client: ViewerClient, surfaces: Sequence["Surface"], assets: Sequence[Asset]) -> Cells:
        """Yield the value of each surface for each asset that it applies to."""


@dataclass(frozen=True)
class Surface:
    """Place where the API exposes an asset: how it is requested, and the aspect of the matrix that it must match."""

    name: str
    aspect: str
    request: RequestForm
    text: str
    extract: Extractor
    only_if: str = ""  # property that an asset must have
    covers: Sequence[str] = ()  # schema coordinates used inside variables

    def applies_to(self, asset: Asset) -> bool:
        """Return whether the surface can expose the asset."""
        return not self.only_if or bool(getattr(asset, self.only_if))

    def __str__(self) -> str:
        """Return the name and the aspect."""
        return f"{self.name} ({self.aspect})"


def build_document(head: str, body: str) -> str:
    """Return a document with this body and a declaration of each of its variables."""
    declarations = ", ".join(f"${name}: {_variable_type(name)}" for name in find_variables(body))
    return f"{head}{f'({declarations})' if declarations else ''} {{ {body} }}"


def _variable_type(name: str) -> str:
    stem = name.partition("_")[0]
    return VARIABLE_TYPES.get(stem, "[ID!]!" if stem in LIST_VARIABLES else "ID!")


def find_variables(text: str) -> list[str]:
    """Return the names of the variables in a text."""
    return list(dict.fromkeys(re.findall(r"\$(\w+)", text)))
