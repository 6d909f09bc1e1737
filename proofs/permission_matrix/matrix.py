"""The permission matrix, written by hand from the rules, in tables that a reader can compare with them.

A viewer's access to an asset is the highest of the grants that count for them: hidden (`.`), `D`ISCOVERABLE, `V`IEWER,
`E`DITOR or `O`WNER. ASSET_ACCESS gives the access, and EXPECTED_VALUES the API's result for each access and each aspect
of an asset that the API exposes. `-` marks an impossible case. A single value on a line applies to every access.
"""

from collections.abc import Iterable
from typing import NamedTuple

VIEWERS = ("anonymous", "outsider", "member", "administrator")
VISIBILITIES = ("PUBLIC", "INTERNAL")
SHARINGS = ("on", "off")
STATUSES = ("RELEASED", "DRAFT", "FAILED", "ARCHIVED", "WITHDRAWN")
EQUIVALENT_STATUS = {"FAILED": "DRAFT", "WITHDRAWN": "ARCHIVED"}  # treated the same everywhere
ACCESSES = ("none", "DISCOVERABLE", "VIEWER", "EDITOR", "OWNER")  # from lowest to highest
ACCESS_LETTERS = (".", "D", "V", "E", "O")

# Rules 1 and 3: which grants count for which viewer. `own` grants are to the member and to the administrator, and
# `group` grants to the group of both; the outsider is a member with neither. The last two columns are ownership of the
# asset in the platform.
EFFECTIVE_GRANTS = """
viewer         own  group  everyone  public  member's  administrator's
anonymous      no   no     no        yes     no        no
outsider       no   no     yes       yes     no        no
member         yes  yes    yes       yes     yes       no
administrator  yes  yes    yes       yes     no        yes
"""

# Rules 3 and 4: which collections each viewer sees, by visibility and public sharing.
COLLECTION_VISIBILITY = """
viewer         PUBLIC,on  INTERNAL,on  PUBLIC,off  INTERNAL,off
anonymous      visible    hidden       hidden      hidden
outsider       visible    visible      hidden      visible
member         visible    visible      hidden      visible
administrator  visible    visible      visible     visible
"""

# Rules 1, 2 and 8: the access to an asset, by the highest grant and the status. For an anonymous visitor it applies
# within a visible collection; outside of one, every asset is hidden (rule 3).
ASSET_ACCESS = """
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

# Of an aspect's rules, the first that fits applies. `collection` tells whether the viewer sees the asset's collection.
EXPECTED_VALUES = """
aspect         viewer         collection  status    .          D             V          E          O

exists         any            any         any       no         yes           yes        yes        yes
access         any            any         any       no         DISCOVERABLE  VIEWER     EDITOR     OWNER
content        any            any         any       no         no            yes        yes        yes
grants         administrator  any         any       -          yes           yes        yes        yes
grants         any            any         any       no         no            no         no         yes
owned          anonymous      any         any       absent
owned          any            any         any       no         no            no         no         yes

collection     any            hidden      any       no
collection     any            visible     any       yes
listed         any            hidden      any       no
listed         any            visible     any       no         yes           yes        yes        yes
uncollected    any            hidden      any       no         yes           yes        yes        yes
uncollected    any            visible     any       no
contains       any            hidden      any       absent
contains       any            visible     any       unknown    yes           yes        yes        yes
add_targets    anonymous      any         any       absent
add_targets    any            hidden      any       absent
add_targets    any            visible     any       unknown    yes           yes        yes        yes
not_contained  anonymous      any         any       absent
not_contained  any            any         any       unknown    no            no         no         no
addable        anonymous      any         any       absent
addable        any            any         RELEASED  no         no            no         no         yes
addable        any            any         any       no
is_member      any            hidden      any       absent
is_member      anonymous      any         any       UNAUTHENTICATED
is_member      any            any         any       no         no            no         no         yes
removable      any            hidden      any       no
removable      anonymous      any         any       no
removable      administrator  any         any       -          yes           yes        yes        yes
removable      member         any         any       no         no            no         no         yes

event          anonymous      any         any       UNAUTHENTICATED
event          any            hidden      any       absent
event          any            any         any       no         yes           yes        yes        yes

change         any            hidden      any       no
change         anonymous      any         any       no
change         any            any         any       no         yes           yes        yes        yes
history        any            hidden      any       absent
history        anonymous      any         any       UNAUTHENTICATED
history        any            any         any       no         yes           yes        yes        yes
audit          anonymous      any         any       UNAUTHENTICATED
audit          member         any         any       FORBIDDEN
audit          administrator  any         any       -          yes           yes        yes        yes
url_change     administrator  any         any       -          no            yes        yes        yes
url_change     anonymous      any         any       no
url_change     any            any         any       no         no            no         no         yes
url_audit      anonymous      any         any       UNAUTHENTICATED
url_audit      member         any         any       FORBIDDEN
url_audit      administrator  any         any       -          no            yes        yes        yes
grants_change  administrator  any         any       -          yes           yes        yes        yes
grants_change  anonymous      any         any       no
grants_change  any            any         any       no         no            no         no         yes
grants_audit   anonymous      any         any       UNAUTHENTICATED
grants_audit   member         any         any       FORBIDDEN
grants_audit   administrator  any         any       -          yes           yes        yes        yes

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
remove_absent  anonymous      any         any       UNAUTHENTICATED
remove_absent  any            any         any       NOT_FOUND  UNCHANGED     UNCHANGED  UNCHANGED  UNCHANGED
move           anonymous      any         any       UNAUTHENTICATED
move           any            hidden      any       NOT_FOUND
move           any            any         RELEASED  NOT_FOUND  NOT_OWNER     NOT_OWNER  NOT_OWNER  CHANGED
move           any            any         any       NOT_FOUND  NOT_OWNER     NOT_OWNER  NOT_OWNER  NOT_ELIGIBLE
undo           anonymous      any         any       UNAUTHENTICATED
undo           any            hidden      any       NOT_FOUND
undo           administrator  any         any       -          CHANGED       CHANGED    CHANGED    CHANGED
undo           member         any         any       no         NOT_OWNER     NOT_OWNER  NOT_OWNER  CHANGED
neighbour      anonymous      any         any       UNAUTHENTICATED
neighbour      any            hidden      any       NOT_FOUND
neighbour      any            any         any       NOT_FOUND  OK            OK         OK         OK
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
transfer       anonymous      any         any       UNAUTHENTICATED
transfer       member         any         any       FORBIDDEN
transfer       administrator  any         any       -          OK            OK         OK         OK
"""

DESCRIPTIONS = {
    "exists": "found, listed and counted",
    "access": "its access, as shown to the viewer",
    "content": "its URL, source and uses",
    "grants": "its grants",
    "owned": "among the viewer's own assets",
    "collection": "the collection itself",
    "listed": "listed and counted in the collection",
    "uncollected": "matched by a filter for assets in none of the collections",
    "contains": "whether the collection contains it, asked of the collection",
    "add_targets": "whether the collection contains it, asked of all collections that one may add to",
    "not_contained": "whether another (INTERNAL) collection contains it",
    "addable": "offered for another (INTERNAL) collection",
    "is_member": "offered for its own collection, marked as a member",
    "removable": "shown as removable",
    "event": "added by an event of its collection, for a subscriber who saw an empty collection before",
    "change": "listed in the change that added it",
    "history": "that change in the collection's history",
    "audit": "that change in the audit log",
    "url_change": "the change of its `url`",
    "url_audit": "that change in the audit log",
    "grants_change": "the changes of its grants",
    "grants_audit": "those changes in the audit log",
    "add": "add it to another (INTERNAL) collection",
    "readd": "add it to its own collection again",
    "remove": "remove it from its collection",
    "remove_absent": "remove it from a collection without it",
    "move": "move it to another (INTERNAL) collection",
    "undo": "undo the change that added it",
    "neighbour": "add others before or after it",
    "reorder": "reorder it within its collection",
    "share": "share it",
    "award": "award it the gold standard",
    "register": "register it again, and name it in the `uses` of another asset",
    "transfer": "hand it over, with all assets of its owner",
}


class Row(NamedTuple):
    """Combination of conditions, which determines the expected value of every aspect."""

    viewer: str  # anonymous, member or administrator
    access: str  # one of ACCESS_LETTERS
    collection: str  # visible or hidden
    status: str


class Rule(NamedTuple):
    """Line of EXPECTED_VALUES."""

    aspect: str
    viewer: str
    collection: str
    status: str
    values: tuple[str, ...]  # by access

    def fits(self, row: Row) -> bool:
        """Return whether the rule applies to the row."""
        pairs = ((self.viewer, row.viewer), (self.collection, row.collection), (self.status, row.status))
        return all(required in ("any", actual) for required, actual in pairs)


def parse_table(table: str) -> list[list[str]]:
    """Return the lines of a table, the header first."""
    return [line.split() for line in table.splitlines() if line]


def _cells(table: str, keys: int) -> dict[tuple[str, ...], str]:
    """Return the cells by key: the first `keys` columns of the line, and the header of the cell's column."""
    header, *lines = parse_table(table)
    return {
        (*line[:keys], column): cell for line in lines for column, cell in zip(header[keys:], line[keys:], strict=True)
    }


def _rule(aspect: str, viewer: str, collection: str, status: str, *values: str) -> Rule:
    """Return a rule; a single value applies to every access."""
    return Rule(aspect, viewer, collection, status, values if len(values) > 1 else values * len(ACCESS_LETTERS))


_EFFECTIVE_GRANTS = _cells(EFFECTIVE_GRANTS, 1)
_COLLECTION_VISIBILITY = _cells(COLLECTION_VISIBILITY, 1)
_ASSET_ACCESS = _cells(ASSET_ACCESS, 2)
RULES = [_rule(*line) for line in parse_table(EXPECTED_VALUES)[1:]]


def row_for(viewer: str, grants: Iterable[tuple[str, str]], status: str, visibility: str, sharing: str) -> Row:
    """Return the row of a viewer and an asset of that status, with those grants, in one collection of that visibility.

    Each grant is a pair of its holder, a column of EFFECTIVE_GRANTS, and its access.
    """
    accesses = [access for holder, access in grants if _EFFECTIVE_GRANTS[viewer, holder] == "yes"]
    highest = max(accesses, key=ACCESSES.index, default="none")
    kind = "member" if viewer == "outsider" else viewer
    collection = _COLLECTION_VISIBILITY[viewer, f"{visibility},{sharing}"]
    is_outside = viewer == "anonymous" and collection == "hidden"
    return Row(kind, "." if is_outside else _ASSET_ACCESS[kind, highest, status], collection, status)


def expected_value(aspect: str, row: Row) -> str:
    """Return the value that the API must return."""
    rule = next(rule for rule in RULES if rule.aspect == aspect and rule.fits(row))
    value = rule.values[ACCESS_LETTERS.index(row.access)]
    assert value != "-", (aspect, row)
    return value
