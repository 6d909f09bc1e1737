"""This file is what may happen to what a viewer may not see, drawn at random: of all this they must notice nothing.

An act is written to the tables, or done by others through the graph. That it is hidden follows from the oracle.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from proofs.interference.operations import Asking, Given, Question, Selected, Words
from proofs.interference.world import NAMES, NEAR_NAMES, TAGS, USERS, Drawing, id_of, insert, text, update
from store.tables import MAX_COLLECTION_DEPTH
from tests.oracle import ACCESS, ANONYMOUS, KINDS, OWNER, VIEWER, Model

PUT_AWAY = ("ARCHIVED", "WITHDRAWN")
STATUSES = ("RELEASED", "DRAFT", "FAILED", *PUT_AWAY)
ADMIN = USERS[0]


@dataclass(frozen=True)
class Act:
    """What is done where the viewer cannot see it: statements, or an operation of somebody else."""

    name: str
    statements: Sequence[str] = ()
    who: str = ""
    question: Question | None = None


class Hiding:
    """Draws what happens out of a viewer's sight in a world."""

    def __init__(self, chance: Random, model: Model, who: str, words: Words, number: int) -> None:
        """Take the world as it is now, who must not notice, and a number that no other act of this world has."""
        self.draw, self.model, self.who, self.words, self.number = Drawing(chance), model, who, words, number
        self.assets = [asset for asset in model.asset if not model.sees_asset(who, asset)]
        self.unowned = [asset for asset in model.asset if model.access(who, asset) < OWNER]
        self.closed = [asset for asset in model.asset if model.access(who, asset) < VIEWER]
        self.collections = [slug for slug in model.collection if not model.sees_collection(who, slug)]
        self.topics = [slug for slug in model.topic if not model.sees_topic(who, slug)]
        groups = [id_ for id_, group in model.groups.items() if who in group["members"]]
        speaking = {who, "public", *groups} | (set() if who == ANONYMOUS else {"everyone"})
        self.others = [each for each in (*model.users, *model.groups, "everyone", "public") if each not in speaking]
        self.people = [user for user in USERS if user != who]

    def act(self) -> Act:
        """Return an act, of those that have something to act upon."""
        while True:
            name: str = self.draw.one(*ACTS, *OFTEN)
            done: Act | Sequence[str] | None = ACTS[name](self)
            if done:
                return done if isinstance(done, Act) else Act(name, done)

    # Assets that the viewer does not see.

    def add_asset(self) -> Sequence[str] | None:
        """Return a new asset, which others hold grants on and some collections hold."""
        if not self._may_hide_assets():
            return None
        id_, draw = f"new{self.number}", self.draw
        values: dict[str, Any] = {
            "id": id_of("ast", id_),
            "external_id": id_,
            "kind": draw.one(*KINDS),
            "status": draw.one(*STATUSES),
        }
        values |= {
            "name": draw.one(*NAMES, *NEAR_NAMES),
            "name_key": draw.one("a", "zz", ""),
            "tags": [],
            "version": "1",
        }
        values |= {"url": "https://hidden.org", "created_at": draw.one(0, 2**41), "updated_at": draw.one(0, 2**41)}
        values |= {"is_gold": draw.one(0, 1), "gold_at": 5} | ({"data_kind": "DATASET", "app_kind": "OTHER"})
        written = {name: text(value) for name, value in values.items()} | {"owner_pk": "pk"}
        owner = draw.one(*self.people)
        found = [insert("asset", "principal", f"external_id = {text(owner)}", written), _grant(id_, owner, OWNER)]
        found += [_grant(id_, to, draw.one(*ACCESS.values())) for to in draw.some(self.others, 2) if to != owner]
        found += [_tag(id_, tag) for tag in draw.some(TAGS, 2)]
        found += [_use(id_, used, 3) for used in draw.some(list(self.model.asset), 2)]
        return found + [self._member(slug, id_) for slug in draw.some(list(self.model.collection), 3)]

    def delete_asset(self) -> Sequence[str] | None:
        """Return the end of an asset that no change has touched, with all that refers to it."""
        if not self.assets:
            return None
        untouched = "NOT EXISTS (SELECT 1 FROM change_asset WHERE asset_pk = asset.pk)"
        one = f"(SELECT pk FROM asset WHERE {self._one(self.assets)} AND {untouched})"
        return [
            f"DELETE FROM asset_use WHERE asset_pk = {one} OR uses_pk = {one}",
            *(f"DELETE FROM {table} WHERE asset_pk = {one}" for table in ("asset_tag", "membership", "access_grant")),
            f"DELETE FROM asset WHERE pk = {one}",
        ]

    def tell_otherwise(self) -> Sequence[str] | None:
        """Return another name, kind, date or the like of a hidden asset."""
        if not self.assets:
            return None
        draw = self.draw
        changes: dict[str, Any] = draw.one(
            {"name": draw.one(*NAMES, *NEAR_NAMES), "name_key": draw.one("a", "zz", "")},
            {"kind": draw.one(*KINDS), "data_kind": "RESULT", "app_kind": "SHINY"},
            {"created_at": draw.one(0, 2**41)},
            {"updated_at": draw.one(0, 2**41)},
            {"description": "secret", "license": "MIT", "doi": "10.1/secret", "version": "9"},
            {"is_gold": draw.one(0, 1), "gold_at": 9, "gold_note": "secret"},
            {"size_bytes": 7, "file_count": 8, "language": "C", "framework": "x", "step_count": 3},
        )
        return [update("asset", self._one(self.assets), **changes)]

    def tag(self) -> Sequence[str] | None:
        """Return a tag more of a hidden asset."""
        return self.assets and [_tag(self.draw.one(*self.assets), self.draw.one(*TAGS))]

    def put_away(self) -> Sequence[str] | None:
        """Return another status of a hidden asset: any, where it is hidden for another reason."""
        if not self.assets:
            return None
        asset = self.draw.one(*self.assets)
        is_free = not self.model.access(self.who, asset)
        return [
            update("asset", f"external_id = {text(asset)}", status=self.draw.one(*STATUSES if is_free else PUT_AWAY))
        ]

    def share(self) -> Sequence[str] | None:
        """Return a grant among others, of any asset that is not the viewer's."""
        if not (self.unowned and self.others):
            return None
        asset, to = self.draw.one(*self.unowned), self.draw.one(*self.others)
        if to == self.model.asset[asset]["owner"]:
            return None
        held = (
            f"asset_pk = (SELECT pk FROM asset WHERE external_id = {text(asset)}) AND principal_pk = {_principal(to)}"
        )
        taken = f"DELETE FROM access_grant WHERE {held}"
        return [taken] if self.draw.is_so(3) else [taken, _grant(asset, to, self.draw.one(*ACCESS.values()))]

    def join(self) -> Sequence[str] | None:
        """Return a membership of a hidden asset, anywhere in the order."""
        asset, slug = self.draw.one(None, *self.assets), self.draw.one(None, *self.model.collection)
        return [self._member(slug, asset)] if asset and slug and self._stays_hidden(asset, slug) else None

    def leave(self) -> Sequence[str] | None:
        """Return memberships of a hidden asset being taken away."""
        return self.assets and [f"DELETE FROM membership WHERE {self._of_asset()}"]

    def note(self) -> Sequence[str] | None:
        """Return another place, date, note and adder of the memberships of a hidden asset."""
        changes = {"rank": self.draw.one(1, 5, 2**50), "added_at": self.draw.one(0, 2**41), "note": "secret"}
        return self.assets and [
            update("membership", self._of_asset(), **changes),
            f"UPDATE membership SET added_by_pk = {_principal(self.draw.one(*USERS))} WHERE {self._of_asset()}",
        ]

    def use(self) -> Sequence[str] | None:
        """Return a use of an asset whose content the viewer does not see, or its end."""
        if not self.closed:
            return None
        asset, used = self.draw.one(*self.closed), self.draw.one(*self.model.asset)
        ended = f"DELETE FROM asset_use WHERE asset_pk = (SELECT pk FROM asset WHERE external_id = {text(asset)})"
        return [ended] if self.draw.is_so(3) else [_use(asset, used, self.draw.one(0, 9))]

    def change_content(self) -> Sequence[str] | None:
        """Return other content of an asset whose content the viewer does not see."""
        where = "https://elsewhere.org"
        return self.closed and [update("asset", self._one(self.closed), url=self.draw.one(None, where), source=where)]

    def touch(self) -> Sequence[str] | None:
        """Return a hidden asset among those that a change of others touched, beside one that the viewer sees."""
        if not self.assets:
            return None
        hidden = ", ".join(map(text, self.assets))
        seen = f"SELECT pk FROM asset WHERE external_id NOT IN ({hidden})"
        beside = f"change.pk IN (SELECT change_pk FROM change_asset WHERE asset_pk IN ({seen}))"
        of_others = f"actor_pk <> coalesce({_principal(self.who)}, 0)"
        both = {"change_pk": "change.pk", "asset_pk": "asset.pk"}
        return [insert("change_asset", "change, asset", f"{self._one(self.assets)} AND {of_others} AND {beside}", both)]

    # Collections, topics and people that the viewer does not see.

    def add_collection(self) -> Sequence[str] | None:
        """Return a collection that the viewer does not see, with assets in it."""
        visibility = next((each for each in ("INTERNAL", "PUBLIC") if self._is_hidden(each)), None)
        if visibility is None:
            return None
        slug = f"col-{self.number}"
        topic = self.draw.one(*self.model.topic)
        values: dict[str, Any] = {
            "id": id_of("col", slug),
            "slug": slug,
            "name": slug,
            "name_key": slug,
            "visibility": visibility,
        }
        values |= {"rank": self.draw.one(3, 2**50) + self.number, "version": 1, "created_at": 0, "updated_at": 2**41}
        written = {name: text(value) for name, value in values.items()} | {"description": "''", "topic_pk": "pk"}
        held = self.draw.some(list(self.model.asset), 4)
        found = [insert("collection", "topic", f"slug = {text(topic)}", written)]
        return found + [self._member(slug, asset) for asset in held]

    def tell_collection_otherwise(self) -> Sequence[str] | None:
        """Return another name, date, place or the like of a hidden collection."""
        draw, new = self.draw, f"secret {self.number}"
        changes = draw.one(
            {"name": new, "name_key": new, "slug": f"secret-{self.number}"},
            {"version": 9, "updated_at": draw.one(0, 2**41), "created_at": 1},
            {"description": new},
            {"rank": draw.one(2, 2**50) + self.number},
        )
        return self.collections and [update("collection", f"slug = {text(draw.one(*self.collections))}", **changes)]

    def hang(self) -> Sequence[str] | None:
        """Return a hidden collection put below any, a visible one below a hidden one, or either at the top."""
        if not self.collections:
            return None
        slug = self.draw.one(*self._loose())
        above = [each for each in self._others(slug) if self._fits(slug, len(self._chain(each)))]
        return [_below(slug, self.draw.one(None, *(each for each in above if {slug, each} & {*self.collections})))]

    def tuck(self) -> Sequence[str] | None:
        """Return a hidden collection put below a visible one, and another visible one below that."""
        visible = [slug for slug in self.model.collection if slug not in self.collections]
        found = [
            (inner, hidden, outer)
            for hidden in self.collections
            for outer in set(visible) & set(self._others(hidden))
            for inner in set(visible) & set(self._loose()) - {*self._chain(outer)}
            if hidden not in self._chain(outer)
            and inner in self._others(hidden)
            and self._fits(hidden, len(self._chain(outer)))
            and self._fits(inner, len(self._chain(outer)) + 1)
        ]
        if not found:
            return None
        inner, hidden, outer = self.draw.one(*sorted(found))
        return [_below(hidden, outer), _below(inner, hidden)]

    def fill(self) -> Sequence[str] | None:
        """Return any asset's membership of a hidden collection, or the end of all of them."""
        if not self.collections:
            return None
        slug = self.draw.one(*self.collections)
        if self.draw.is_so(3):
            return [
                f"DELETE FROM membership WHERE collection_pk = (SELECT pk FROM collection WHERE slug = {text(slug)})"
            ]
        return [self._member(slug, self.draw.one(*self.model.asset))] if self.model.asset else None

    def tell_topic_otherwise(self) -> Sequence[str] | None:
        """Return another name, description or place of a hidden topic."""
        new, draw = f"secret {self.number}", self.draw
        changes = draw.one(
            {"name": new, "name_key": new}, {"description": new}, {"rank": 5 + self.number}, {"version": 7}
        )
        return self.topics and [update("topic", f"slug = {text(draw.one(*self.topics))}", **changes)]

    def add_user(self) -> Sequence[str] | None:
        """Return a user whom an anonymous visitor does not know."""
        id_ = f"user{self.number}"
        values = {"id": id_of("usr", id_), "external_id": id_, "kind": "USER", "name": "secret", "is_admin": True}
        written = {name: text(value) for name, value in values.items()}
        return [insert("principal", "deployment", "true", written)] if self.who == ANONYMOUS else None

    def rename_people(self) -> Sequence[str] | None:
        """Return other addresses of all, and another name of somebody whom an anonymous visitor does not know."""
        if self.who != ANONYMOUS:
            return None
        owning = {
            self.model.asset[asset]["owner"] for asset in self.model.asset if self.model.sees_asset(ANONYMOUS, asset)
        }
        found = [update("principal", "kind = 'USER'", email="secret@example.org")]
        unknown = [each for each in (*self.people, *self.model.groups) if each not in owning]
        return found + [update("principal", f"external_id = {text(each)}", name="secret") for each in unknown[:2]]

    def know_otherwise(self) -> Sequence[str]:
        """Return two other people being known to the platform as one another: what it knows them as is no field."""
        one, other = self.draw.chance.sample([user for user in self.people if user != ADMIN], 2)
        passed = ((one, "nobody"), (other, one), ("nobody", other))
        return [
            f"UPDATE principal SET name = name, external_id = {text(new)} WHERE external_id = {text(old)}"
            for old, new in passed
        ]

    def group(self) -> Sequence[str] | None:
        """Return somebody else in a group, or out of it."""
        group, user = self.draw.one(*self.model.groups), self.draw.one(*self.people)
        both = f"(group_pk, user_pk) = ({_principal(group)}, {_principal(user)})"
        if self.draw.is_so(4):
            return [f"DELETE FROM group_member WHERE {both}"]
        pks = {"group_pk": _principal(group), "user_pk": _principal(user)}
        return [insert("group_member", "deployment", "true", pks)]

    def promote(self) -> Sequence[str]:
        """Return somebody else becoming an administrator, or none any more."""
        user = self.draw.one(*(user for user in self.people if user != ADMIN))
        return [update("principal", f"external_id = {text(user)}", is_admin=self.draw.is_so(4))]

    def job(self) -> Sequence[str]:
        """Return somebody else's job."""
        id_ = f"job{self.number}"
        values = {"id": id_of("job", id_), "kind": "ASSETS_ADD", "status": "RUNNING", "request_id": "r", "total": 5}
        values |= {"done": 1, "is_cancelled": False, "user_errors": [], "created_at": 1, "leased_until": 2**41}
        written = {name: text(value) for name, value in values.items()} | {"user_pk": "pk"}
        return [insert("job", "principal", f"external_id = {text(self.draw.one(*self.people))}", written)]

    # What others do through the graph.

    def read(self) -> Act:
        """Return a query of somebody else."""
        who = self.draw.one(*(each for each in (*USERS, ANONYMOUS) if each != self.who))
        return Act("others read", who=who, question=Asking(self.draw.chance, self.words).query())

    def try_out(self) -> Act:
        """Return a dry run of somebody else, of whatever there is."""
        name = self.draw.one("collectionAssetsAdd", "collectionAssetsRemove", "collectionDelete", "topicMerge")
        question = Asking(self.draw.chance, self.words).mutation([name])
        ((argument, given),) = question.selected[0].arguments.items()
        dry = given._replace(value={**given.value, "dryRun": True})
        return Act(
            "others try", who=self.draw.one(*self.people), question=_with_input(question.selected[0], argument, dry)
        )

    def put_in(self) -> Act | None:
        """Return an owner putting hidden assets of theirs into a collection."""
        found = self._owned()
        slug = self.draw.one(None, *self.model.collection)
        if not found or slug is None or not all(self._stays_hidden(asset, slug) for asset in found[1]):
            return None
        position = self.draw.one({"atStart": True}, {"atEnd": True}, *self._beside(slug))
        given = {"collectionId": self._id(slug), "assetIds": self._ids(found[1]), "position": position}
        return self._sent("collectionAssetsAdd", found[0], given | {"mode": "BEST_EFFORT", "note": "secret"})

    def take_out(self) -> Act | None:
        """Return hidden assets being taken out of a collection."""
        held = [(slug, asset) for asset in self.assets for slug in self.model.holders[asset]]
        if not held or self.who == ADMIN:
            return None
        slug, asset = self.draw.one(*held)
        given = {"collectionId": self._id(slug), "assetIds": self._ids([asset])}
        return self._sent("collectionAssetsRemove", self.draw.one(*self.people), given)

    def reorder(self) -> Act | None:
        """Return an administrator moving hidden members within the order."""
        held = [(slug, asset) for asset in self.assets for slug in self.model.holders[asset]]
        if not held or self.who == ADMIN:
            return None
        slug, asset = self.draw.one(*held)
        beside = [place for place in self._beside(slug) if self._id(asset) not in place.values()]
        position = self.draw.one({"atStart": True}, {"atEnd": True}, *beside)
        given = {"collectionId": self._id(slug), "assetIds": self._ids([asset]), "position": position}
        return self._sent("collectionAssetsReorder", ADMIN, given)

    def award(self) -> Act | None:
        """Return an administrator awarding a hidden asset."""
        if not self.assets or self.who == ADMIN:
            return None
        given = {"assetId": self._id(self.draw.one(*self.assets)), "awarded": self.draw.is_so(5), "note": "secret"}
        return self._sent("assetGoldStandardSet", ADMIN, given)

    def share_through_the_graph(self) -> Act | None:
        """Return an owner sharing an asset with others than the viewer."""
        users = [each for each in self.others if each in self.model.users]
        if not (self.unowned and users):
            return None
        asset = self.draw.one(*self.unowned)
        owner, to = self.model.asset[asset]["owner"], {"userId": self._id(self.draw.one(*users))}
        if owner not in self.people:
            return None
        given = {"set": [{"to": to, "access": self.draw.one(*ACCESS)}]} if self.draw.is_so(5) else {"revoke": [to]}
        return self._sent("assetGrantsUpdate", owner, {"assetId": self._id(asset)} | given)

    def register(self) -> Act | None:
        """Return an administrator, for the platform, telling of a hidden asset."""
        if not self.assets or self.who == ADMIN:
            return None
        line = self.model.asset[self.draw.one(*self.assets)]
        told = {"externalId": line["id"], "kind": line["type"], "ownerId": self._id(line["owner"]), "name": "secret"}
        return self._sent("assetsRegister", ADMIN, {"assets": [told | {"url": "https://secret.org"}]})

    def tell_content(self) -> Act | None:
        """Return another administrator, for the platform, telling of content that this one does not see."""
        if not self.closed or self.who != ADMIN:
            return None
        line, other = self.model.asset[self.draw.one(*self.closed)], USERS[1]
        told = {
            "externalId": line["id"],
            "kind": line["type"],
            "name": line["name"],
            "ownerId": self._id(line["owner"]),
        }
        given = {"assets": [told | {"url": self.draw.one("https://secret.org", None)}]}
        made = [update("principal", f"external_id = {text(other)}", is_admin=True)]
        return replace(self._sent("assetsRegister", other, given), statements=made)

    def delete_collection(self) -> Act | None:
        """Return an administrator deleting a hidden collection that nothing visible is above."""
        above = {slug: self.model.collection[slug].get("parent") for slug in self.collections}
        found = [slug for slug, parent in above.items() if parent is None or parent in self.collections]
        if not found or self.who == ADMIN:
            return None
        return self._sent("collectionDelete", ADMIN, {"id": self._id(self.draw.one(*found))})

    def update_collection(self) -> Act | None:
        """Return an administrator renaming a hidden collection."""
        if not self.collections or self.who == ADMIN:
            return None
        given = {"id": self._id(self.draw.one(*self.collections)), "name": f"secret {self.number}"}
        return self._sent("collectionUpdate", ADMIN, given)

    def make_topic(self) -> Act | None:
        """Return an administrator making a topic, which has nothing to be seen in."""
        if self.who != ANONYMOUS:
            return None
        position = self.draw.one({"atStart": True}, {"atEnd": True})
        return self._sent("topicCreate", ADMIN, {"name": f"secret {self.number}", "position": position})

    # What acts are made of.

    def _may_hide_assets(self) -> bool:
        return self.who != ADMIN

    def _is_hidden(self, visibility: str) -> bool:
        if self.who == ADMIN:
            return False
        return (
            visibility == "INTERNAL"
            if self.who == ANONYMOUS and self.model.has_public_sharing
            else (self.who == ANONYMOUS or (visibility == "PUBLIC" and not self.model.has_public_sharing))
        )

    def _chain(self, slug: str) -> list[str]:
        """Return a collection and all above it."""
        above = self.model.collection[slug].get("parent")
        return [slug, *(self._chain(above) if above else ())]

    def _loose(self) -> list[str]:
        """Return the collections of which the viewer sees none above, or not themselves."""
        lines, hidden = self.model.collection, self.collections
        return [slug for slug in lines if slug in hidden or lines[slug].get("parent") in {None, *hidden}]

    def _others(self, slug: str) -> list[str]:
        """Return the collections of the same topic that are not below this one, nor it."""
        lines = self.model.collection
        return [
            each for each in lines if lines[each]["topic"] == lines[slug]["topic"] and slug not in self._chain(each)
        ]

    def _fits(self, slug: str, depth: int) -> bool:
        """Return whether a collection, with those below it, can be put below one of that depth."""
        chains = [chain for each in self.model.collection if slug in (chain := self._chain(each))]
        height = max(map(len, chains)) - min(map(len, chains))
        return depth + 1 + height <= MAX_COLLECTION_DEPTH

    def _stays_hidden(self, asset: str, slug: str) -> bool:
        """Return whether the hidden asset in the collection is hidden still: visitors see what is on show."""
        line = self.model.asset[asset]
        is_public = any(grant["to"] == "public" for grant in line["grants"])
        return (
            self.who != ANONYMOUS or not is_public or slug in self.collections or self.model.status(asset) in PUT_AWAY
        )

    def _owned(self) -> tuple[str, list[str]] | None:
        owners = sorted({self.model.asset[asset]["owner"] for asset in self.assets} & set(self.people))
        if not owners or self.who == ADMIN:
            return None
        owner = self.draw.one(*owners)
        theirs = [asset for asset in self.assets if self.model.asset[asset]["owner"] == owner]
        return owner, self.draw.some(theirs, 3) or theirs[:1]

    def _beside(self, slug: str) -> list[dict[str, Any]]:
        return [{side: self._id(each)} for each in self.model.members[slug] for side in ("afterId", "beforeId")]

    def _sent(self, mutation: str, who: str, given: dict[str, Any]) -> Act:
        kind = f"{mutation[0].upper()}{mutation[1:]}Input!"
        selected = Selected(mutation, "", {"input": Given(kind, given)}, [Selected("__typename", "String")])
        return Act(mutation, who=who, question=Question("mutation", [selected]))

    def _member(self, slug: str, asset: str) -> str:
        rank = self.draw.one(1, 7, 2**20 + 1, 2**21 - 1, 2**50)
        both = f"collection.slug = {text(slug)} AND asset.external_id = {text(asset)}"
        values = {"collection_pk": "collection.pk", "asset_pk": "asset.pk", "rank": str(rank), "added_at": "3"}
        return insert("membership", "collection, asset", both, values)

    def _of_asset(self) -> str:
        return f"asset_pk = (SELECT pk FROM asset WHERE {self._one(self.assets)})"

    def _one(self, assets: Sequence[str]) -> str:
        return f"external_id = {text(self.draw.one(*assets))}"

    def _id(self, name: str) -> str:
        return self.model.ids[name]

    def _ids(self, names: Sequence[str]) -> list[str]:
        return [self.model.ids[name] for name in names]


def _with_input(selected: Selected, argument: str, given: Given) -> Question:
    return Question("mutation", [Selected(selected.name, selected.type, {argument: given}, selected.below)])


def _principal(name: str) -> str:
    return f"(SELECT pk FROM principal WHERE external_id = {text(name)})"


def _below(slug: str, above: str | None) -> str:
    parent = f"(SELECT pk FROM collection WHERE slug = {text(above)})"
    return f"UPDATE collection SET parent_pk = {parent} WHERE slug = {text(slug)}"


def _grant(asset: str, to: str, access: int) -> str:
    values = {"asset_pk": "pk", "principal_pk": _principal(to), "access": str(access)}
    return insert("access_grant", "asset", f"external_id = {text(asset)}", values)


def _tag(asset: str, tag: str) -> str:
    return insert("asset_tag", "asset", f"external_id = {text(asset)}", {"asset_pk": "pk", "tag": text(tag)})


def _use(asset: str, used: str, rank: int) -> str:
    both = f"asset.external_id = {text(asset)} AND used.external_id = {text(used)} AND asset.pk <> used.pk"
    values = {"asset_pk": "asset.pk", "uses_pk": "used.pk", "rank": str(rank)}
    return insert("asset_use", "asset, asset used", both, values)


ACTS: dict[str, Callable[[Hiding], Act | Sequence[str] | None]] = {
    name: getattr(Hiding, name)
    for name in (
        *("add_asset", "delete_asset", "tell_otherwise", "tag", "put_away", "share", "join", "leave"),
        *(
            "note",
            "use",
            "change_content",
            "touch",
            "add_collection",
            "tell_collection_otherwise",
            "hang",
            "tuck",
            "fill",
        ),
        *(
            "tell_topic_otherwise",
            "add_user",
            "rename_people",
            "know_otherwise",
            "group",
            "promote",
            "job",
            "read",
            "try_out",
        ),
        *("put_in", "take_out", "reorder", "award", "share_through_the_graph", "register", "delete_collection"),
        *("update_collection", "make_topic", "tell_content"),
    )
}
# These touch what most channels could tell of.
OFTEN = ("add_asset", "join", "put_in", "fill", "add_collection", "put_in", "tell_otherwise", "hang", "tuck")
