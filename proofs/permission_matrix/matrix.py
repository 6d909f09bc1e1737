"""This file is the truth table, by hand: nothing but the rules, in tables that a reader can hold against them.

To its viewer an asset is one of five things, by the greatest of the grants that speak for them: absent (`.`), or there
with an access: `D`iscoverable, `V`iewer, `E`ditor, `O`wner. SIGHT tells which, and WORDS what follows from it, wherever
the graph says anything of an asset. `-` stands for what cannot be. A line with one value has it for all five.
"""

from collections.abc import Iterable
from typing import NamedTuple

VIEWERS = ("anonymous", "outsider", "member", "administrator")
VISIBILITIES = ("PUBLIC", "INTERNAL")
SHARINGS = ("on", "off")
STATUSES = ("RELEASED", "DRAFT", "FAILED", "ARCHIVED", "WITHDRAWN")
ALIKE = {"FAILED": "DRAFT", "WITHDRAWN": "ARCHIVED"}  # what is told of the one is told of the other
ACCESSES = ("none", "DISCOVERABLE", "VIEWER", "EDITOR", "OWNER")  # from least to most
LETTERS = (".", "D", "V", "E", "O")

# Rules 1 and 3: whose grants speak for whom. `own` are those of the member and of the administrator, both of one group;
# the outsider is a member with neither. The last two stand for being the asset's owner in the platform.
SPEAKS = """
viewer         own  group  everyone  public  member's  administrator's
anonymous      no   no     no        yes     no        no
outsider       no   no     yes       yes     no        no
member         yes  yes    yes       yes     yes       no
administrator  yes  yes    yes       yes     no        yes
"""

# Rules 3 and 4: which collections exist for whom, by their visibility and whether the deployment shares publicly.
SHOWN = """
viewer         PUBLIC,on  INTERNAL,on  PUBLIC,off  INTERNAL,off
anonymous      shown      hidden       hidden      hidden
outsider       shown      shown        hidden      shown
member         shown      shown        hidden      shown
administrator  shown      shown        shown       shown
"""

# Rules 1, 2 and 8: what an asset is to whom, by the greatest of their grants and its status. To an anonymous visitor it
# is this within a collection that exists for them, and absent outside (rule 3).
SIGHT = """
viewer         grant         RELEASED  DRAFT  FAILED  ARCHIVED  WITHDRAWN
anonymous      none          .         .      .       .         .
anonymous      DISCOVERABLE  D         D      D       .         .
anonymous      VIEWER        V         V      V       .         .
anonymous      EDITOR        E         E      E       .         .
anonymous      OWNER         O         O      O       O         O
member         none          .         .      .       .         .
member         DISCOVERABLE  D         D      D       .         .
member         VIEWER        V         V      V       .         .
member         EDITOR        E         E      E       .         .
member         OWNER         O         O      O       O         O
administrator  none          D         D      D       D         D
administrator  DISCOVERABLE  D         D      D       D         D
administrator  VIEWER        V         V      V       V         V
administrator  EDITOR        E         E      E       E         E
administrator  OWNER         O         O      O       O         O
"""

# What follows: the first line of the word that fits. `collection` is the one that holds the asset.
WORDS = """
word           viewer         collection  status    .          D             V          E          O

exists         any            any         any       no         yes           yes        yes        yes
access         any            any         any       no         DISCOVERABLE  VIEWER     EDITOR     OWNER
content        any            any         any       no         no            yes        yes        yes
grants         any            any         any       no         no            no         no         yes

shown          any            hidden      any       no
shown          any            shown       any       yes
held           any            hidden      any       no
held           any            shown       any       no         yes           yes        yes        yes
outside        any            hidden      any       no         yes           yes        yes        yes
outside        any            shown       any       no
contains       any            hidden      any       absent
contains       any            shown       any       unknown    yes           yes        yes        yes
chosen         anonymous      any         any       absent
chosen         any            hidden      any       absent
chosen         any            shown       any       unknown    yes           yes        yes        yes
lacks          anonymous      any         any       absent
lacks          any            any         any       unknown    no            no         no         no
offered        anonymous      any         any       absent
offered        any            any         RELEASED  no         no            no         no         yes
offered        any            any         any       no
kept           any            hidden      any       absent
kept           anonymous      any         any       UNAUTHENTICATED
kept           any            any         any       no         no            no         no         yes
removable      any            hidden      any       no
removable      anonymous      any         any       no
removable      administrator  any         any       -          yes           yes        yes        yes
removable      member         any         any       no         no            no         no         yes

told           any            hidden      any       no
told           anonymous      any         any       no
told           any            any         any       no         yes           yes        yes        yes
history        any            hidden      any       absent
history        anonymous      any         any       UNAUTHENTICATED
history        any            any         any       no         yes           yes        yes        yes
logged         anonymous      any         any       UNAUTHENTICATED
logged         member         any         any       FORBIDDEN
logged         administrator  any         any       -          yes           yes        yes        yes
url_told       administrator  any         any       -          no            yes        yes        yes
url_told       any            any         any       no
url_logged     anonymous      any         any       UNAUTHENTICATED
url_logged     member         any         any       FORBIDDEN
url_logged     administrator  any         any       -          no            yes        yes        yes
grants_told    administrator  any         any       -          no            no         no         yes
grants_told    any            any         any       no
grants_logged  anonymous      any         any       UNAUTHENTICATED
grants_logged  member         any         any       FORBIDDEN
grants_logged  administrator  any         any       -          no            no         no         yes

add            anonymous      any         any       UNAUTHENTICATED
add            any            any         RELEASED  NOT_FOUND  NOT_OWNER     NOT_OWNER  NOT_OWNER  CHANGED
add            any            any         any       NOT_FOUND  NOT_OWNER     NOT_OWNER  NOT_OWNER  NOT_ELIGIBLE
readd          anonymous      any         any       UNAUTHENTICATED
readd          any            hidden      any       NOT_FOUND
readd          any            any         any       NOT_FOUND  UNCHANGED     UNCHANGED  UNCHANGED  UNCHANGED
remove         anonymous      any         any       UNAUTHENTICATED
remove         any            hidden      any       NOT_FOUND
remove         administrator  any         any       -          CHANGED       CHANGED    CHANGED    CHANGED
remove         member         any         any       NOT_FOUND  NOT_OWNER     NOT_OWNER  NOT_OWNER  CHANGED
miss           anonymous      any         any       UNAUTHENTICATED
miss           any            any         any       NOT_FOUND  UNCHANGED     UNCHANGED  UNCHANGED  UNCHANGED
move           anonymous      any         any       UNAUTHENTICATED
move           any            hidden      any       NOT_FOUND
move           any            any         RELEASED  NOT_FOUND  NOT_OWNER     NOT_OWNER  NOT_OWNER  CHANGED
move           any            any         any       NOT_FOUND  NOT_OWNER     NOT_OWNER  NOT_OWNER  NOT_ELIGIBLE
undo           anonymous      any         any       UNAUTHENTICATED
undo           any            hidden      any       NOT_FOUND
undo           administrator  any         any       -          CHANGED       CHANGED    CHANGED    CHANGED
undo           member         any         any       no         NOT_OWNER     NOT_OWNER  NOT_OWNER  CHANGED
beside         anonymous      any         any       UNAUTHENTICATED
beside         any            hidden      any       NOT_FOUND
beside         any            any         any       NOT_FOUND  OK            OK         OK         OK
reorder        anonymous      any         any       UNAUTHENTICATED
reorder        member         any         any       FORBIDDEN
reorder        administrator  any         any       -          UNCHANGED     UNCHANGED  UNCHANGED  UNCHANGED
share          anonymous      any         any       UNAUTHENTICATED
share          any            any         any       NOT_FOUND  NOT_OWNER     NOT_OWNER  NOT_OWNER  OK
award          anonymous      any         any       UNAUTHENTICATED
award          member         any         any       FORBIDDEN
award          administrator  any         any       -          OK            OK         OK         OK
register       anonymous      any         any       UNAUTHENTICATED
register       member         any         any       FORBIDDEN
register       administrator  any         any       -          UNCHANGED     UNCHANGED  UNCHANGED  UNCHANGED
"""

MEANINGS = {
    "exists": "it is found, listed, counted and told of",
    "access": "what its viewer is told to have",
    "content": "where it is and what it uses",
    "grants": "with whom it is shared",
    "shown": "the collection itself",
    "held": "the collection lists and counts it",
    "outside": "it is told to be in none of the collections",
    "contains": "whether the collection holds it, asked of the collection",
    "chosen": "whether the collection holds it, asked of all that one may add to",
    "lacks": "whether another collection holds it, an INTERNAL one",
    "offered": "the panel of another collection, an INTERNAL one, offers it",
    "kept": "the panel of its collection tells that it is in",
    "removable": "its viewer is told that they can take it out",
    "told": "the change that put it in, as far as it is of the asset",
    "history": "that change, asked of the collection",
    "logged": "that change, asked of everything",
    "url_told": "the change of its `url`",
    "url_logged": "that change, asked of everything",
    "grants_told": "the changes of its grants",
    "grants_logged": "those changes, asked of everything",
    "add": "put it into another collection, an INTERNAL one",
    "readd": "put it in where it is in",
    "remove": "take it out",
    "miss": "take it out of where it is not in",
    "move": "move it to another collection, an INTERNAL one",
    "undo": "take back the change that put it in",
    "beside": "name it as the neighbour of what is put in",
    "reorder": "put it somewhere else in its collection",
    "share": "share it",
    "award": "mark it as a gold standard",
    "register": "register it anew, and as what others use",
}


class Row(NamedTuple):
    """What all follows from."""

    viewer: str  # anonymous, member or administrator
    letter: str
    collection: str  # shown or hidden
    status: str


class Line(NamedTuple):
    """A line of WORDS."""

    word: str
    viewer: str
    collection: str
    status: str
    values: tuple[str, ...]  # of each letter

    def fits(self, row: Row) -> bool:
        """Return whether the line speaks of the row."""
        pairs = ((self.viewer, row.viewer), (self.collection, row.collection), (self.status, row.status))
        return all(asked in ("any", has) for asked, has in pairs)


def lines_of(table: str) -> list[list[str]]:
    """Return the lines of a table, its head first."""
    return [line.split() for line in table.splitlines() if line]


def _cells(table: str, keys: int) -> dict[tuple[str, ...], str]:
    """Return each cell by the first columns of its line and the head of its column."""
    head, *lines = lines_of(table)
    return {
        (*line[:keys], column): cell for line in lines for column, cell in zip(head[keys:], line[keys:], strict=True)
    }


def _line(word: str, viewer: str, collection: str, status: str, *values: str) -> Line:
    """Return a line; one value is that of every letter."""
    return Line(word, viewer, collection, status, values if len(values) > 1 else values * len(LETTERS))


_SPEAKS, _SHOWN, _SIGHT = _cells(SPEAKS, 1), _cells(SHOWN, 1), _cells(SIGHT, 2)
WORD_LINES = [_line(*line) for line in lines_of(WORDS)[1:]]


def row_of(viewer: str, grants: Iterable[tuple[str, str]], status: str, visibility: str, sharing: str) -> Row:
    """Return what an asset is to a viewer: of that status, with those grants, alone in a collection.

    A grant is who holds it, a column of SPEAKS, and the access.
    """
    held = [access for holder, access in grants if _SPEAKS[viewer, holder] == "yes"]
    greatest = max(held, key=ACCESSES.index, default="none")
    kind = "member" if viewer == "outsider" else viewer
    collection = _SHOWN[viewer, f"{visibility},{sharing}"]
    is_nowhere = viewer == "anonymous" and collection == "hidden"
    return Row(kind, "." if is_nowhere else _SIGHT[kind, greatest, status], collection, status)


def told(word: str, row: Row) -> str:
    """Return what the graph has to say."""
    line = next(line for line in WORD_LINES if line.word == word and line.fits(row))
    value = line.values[LETTERS.index(row.letter)]
    assert value != "-", (word, row)
    return value
