"""Types of the subjects of changes, which the prefixes of their ids tell."""

from enum import StrEnum
from typing import Self

PREFIX_LENGTH = 4


class SubjectType(StrEnum):
    """Types of object that the change log has changes of."""

    TOPIC = "TOPIC"
    COLLECTION = "COLLECTION"
    ASSET = "ASSET"
    USER = "USER"
    GROUP = "GROUP"
    DEPLOYMENT = "DEPLOYMENT"

    @property
    def prefix(self) -> str:
        """The first PREFIX_LENGTH letters of the ids."""
        return _PREFIXES[self]

    @classmethod
    def of(cls, id_: str) -> Self:
        """Return the type of the object with the id."""
        return next(each for each in cls if each.prefix == id_[:PREFIX_LENGTH])


_PREFIXES = {
    SubjectType.TOPIC: "top_",
    SubjectType.COLLECTION: "col_",
    SubjectType.ASSET: "ast_",
    SubjectType.USER: "usr_",
    SubjectType.GROUP: "grp_",
    SubjectType.DEPLOYMENT: "depl",  # of `deployment`
}
