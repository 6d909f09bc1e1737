"""Model of an import in plain Python: the world after it, from the world before, the file, and its earlier imports."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace

from proofs.reimports.world import Made, Thing, World

MAX_DEPTH = 5


@dataclass(frozen=True)
class FileLine:
    """A line of the file, known by a key that never changes. Topic and parent are keys."""

    key: str
    fields: Mapping[str, str]
    topic: str | None = None  # None for a topic
    parent: str | None = None
    assets: tuple[str, ...] = ()


@dataclass
class Imported:
    """The last import of a line: the object's id, the line, the ids of its topic and parent, and memberships made."""

    id: str
    line: FileLine
    place: tuple[str, str | None] | None
    made: dict[str, Made | None] = field(default_factory=dict)  # of the entries, by asset; None if people had added it


class ConflictError(Exception):
    """The file and people's edits contradict each other, so that the import must be refused."""


NEW: Made = (-1, None)
"""Membership that the import makes, whose time is not known before."""


def predict(
    world: World, earlier: Mapping[str, Imported], lines: Mapping[str, FileLine]
) -> tuple[World, dict[str, Imported]]:
    """Return the world after the import, and the imports of all lines. Ids of new objects are the keys of their lines.

    Raises ConflictError.
    """
    after = deepcopy(world)
    successors = _find_successors(world, earlier, lines)
    replaced: dict[str | None, str] = {earlier[key].id: id_ for key, id_ in successors.items()}
    ids = {key: key for key in lines} | {key: imported.id for key, imported in earlier.items()} | successors
    alive = {*world, *(key for key in lines if ids[key] == key and _is_creatable(key, world, ids, lines))}
    imports = dict(earlier)
    for key, line in lines.items():
        id_, former = ids[key], None if key in successors else earlier.get(key)
        place = None if line.topic is None else (ids[line.topic], ids[line.parent] if line.parent else None)
        if former is None and id_ not in alive:
            continue
        imports[key] = Imported(id_, line, place, dict(former.made) if former else {})
        if id_ not in alive:
            continue
        thing = after.setdefault(id_, Thing(dict(line.fields), place))
        if former is not None:
            thing.fields |= {name: value for name, value in line.fields.items() if value != former.line.fields[name]}
            former_place = former.place and tuple(replaced.get(above, above) for above in former.place)
            if place is not None and place != former_place and alive.issuperset(filter(None, place)):
                thing.place = place
        imports[key].made = dict.fromkeys(line.assets) if key in successors else _change_members(thing, line, former)
    for thing in after.values():
        if thing.place is not None:
            thing.place = (_root_topic(thing, after), thing.place[1])
    return after, imports


def _find_successors(world: World, earlier: Mapping[str, Imported], lines: Mapping[str, FileLine]) -> dict[str, str]:
    """Return the objects that people made with the slugs of lines whose objects they had deleted, by the lines' keys.

    They count as edited by people, so their lines change nothing until the file changes.
    """
    taken = {earlier[key].id for key in lines if key in earlier}
    ids = {(thing.place is None, thing.fields["slug"]): id_ for id_, thing in world.items() if id_ not in taken}
    deleted = {key: line for key, line in lines.items() if key in earlier and earlier[key].id not in world}
    found = {key: ids.get((line.topic is None, line.fields["slug"])) for key, line in deleted.items()}
    return {key: id_ for key, id_ in found.items() if id_ is not None}


def _is_creatable(key: str, world: World, ids: Mapping[str, str], lines: Mapping[str, FileLine]) -> bool:
    """Return whether the topic and the parent of a new line exist, or are created with it."""
    return all(
        ids[above] in world if ids[above] != above else _is_creatable(above, world, ids, lines)
        for above in (lines[key].topic, lines[key].parent)
        if above is not None
    )


def _change_members(thing: Thing, line: FileLine, former: Imported | None) -> dict[str, Made | None]:
    """Apply the entries that came and left since the last import; return the memberships made, by asset."""
    before = former.made if former else {}
    made: dict[str, Made | None] = {}
    for asset, membership in before.items():
        if asset not in line.assets and membership is not None and thing.members.get(asset) == membership:
            del thing.members[asset]
    for asset in line.assets:
        made[asset] = before.get(asset)
        if asset not in before and asset not in thing.members:
            thing.members[asset] = made[asset] = NEW
    return made


def _root_topic(thing: Thing, world: World) -> str:
    """Return the topic of the ancestor at the top. Raises ConflictError for a cycle, or too many levels."""
    for _ in range(MAX_DEPTH):
        assert thing.place is not None
        topic, parent = thing.place
        if parent is None:
            return topic
        thing = world[parent]
    raise ConflictError


def settle(world: World, imports: Mapping[str, Imported]) -> dict[str, Imported]:
    """Replace the keys of new objects by their ids, and new memberships by those in the world."""
    ids = {thing.fields["slug"]: id_ for id_, thing in world.items()}
    by_key = {
        key: imported.id if imported.id != key else ids[imported.line.fields["slug"]]
        for key, imported in imports.items()
    }

    def find(id_: str) -> str:
        return by_key.get(id_, id_)

    return {
        key: replace(
            imported,
            id=by_key[key],
            place=imported.place and (find(imported.place[0]), imported.place[1] and find(imported.place[1])),
            made={
                asset: world[by_key[key]].members[asset] if membership == NEW else membership
                for asset, membership in imported.made.items()
            },
        )
        for key, imported in imports.items()
    }
