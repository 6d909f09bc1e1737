"""Random changes to data hidden from a viewer. The viewer must not be able to notice any of them.

A change is written to the tables or made through the API by someone else. The oracle decides what is hidden.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from random import Random
from typing import Any

from proofs.interference.operations import Argument, Operation, OperationGenerator, Selection, Vocabulary
from proofs.interference.world import (
    NAMES,
    NEAR_NAMES,
    TAGS,
    USERS,
    Chooser,
    insert_statement,
    public_id,
    sql_literal,
    update_statement,
)
from store.search.tag_key import tag_key
from store.tables import MAX_COLLECTION_DEPTH
from tests.oracle import ACCESS, ANONYMOUS, KINDS, OWNER, VIEWER, Model

ARCHIVED_STATUSES = ("ARCHIVED", "WITHDRAWN")
STATUSES = ("RELEASED", "DRAFT", "FAILED", *ARCHIVED_STATUSES)
ADMIN = USERS[0]


@dataclass(frozen=True)
class WorldChange:
    """Change that the viewer must not notice: SQL statements, or an operation by someone else.

    One that both worlds have may be visible.
    """

    name: str
    statements: Sequence[str] = ()
    who: str = ""
    operation: Operation | None = None
    in_both: bool = False


class HiddenChanges:
    """Generator of changes hidden from one viewer in one world."""

    def __init__(self, random: Random, model: Model, who: str, vocabulary: Vocabulary, number: int) -> None:
        """Use the current model of the world. The number must be unique within the world."""
        self.chooser, self.model, self.who, self.vocabulary, self.number = (
            Chooser(random),
            model,
            who,
            vocabulary,
            number,
        )
        self.hidden_assets = [asset for asset in model.asset if not model.sees_asset(who, asset)]
        self.unowned_assets = [asset for asset in model.asset if model.access(who, asset) < OWNER]
        # Administrators see all grants, and the changes of these.
        self.assets_with_hidden_grants = [] if model.is_admin(who) else self.unowned_assets
        self.contentless_assets = [asset for asset in model.asset if model.access(who, asset) < VIEWER]
        self.hidden_collections = [slug for slug in model.collection if not model.sees_collection(who, slug)]
        self.hidden_topics = [slug for slug in model.topic if not model.sees_topic(who, slug)]
        groups = [id_ for id_, group in model.groups.items() if who in group["members"]]
        own_principals = {who, "public", *groups} | (set() if who == ANONYMOUS else {"everyone"})
        self.other_principals = [
            principal
            for principal in (*model.users, *model.groups, "everyone", "public")
            if principal not in own_principals
        ]
        self.other_users = [user for user in USERS if user != who]

    def draw(self) -> WorldChange:
        """Return a random change that applies to this world."""
        while True:
            name: str = self.chooser.choose(*CHANGES, *FREQUENT)
            change: WorldChange | Sequence[str] | None = CHANGES[name](self)
            if change:
                return change if isinstance(change, WorldChange) else WorldChange(name, change)

    # Hidden assets, and hidden parts of visible ones.

    def add_asset(self) -> Sequence[str] | None:
        """Add an asset with grants of others, tags, uses and memberships."""
        if not self._can_hide_assets():
            return None
        name, chooser = f"new{self.number}", self.chooser
        values: dict[str, Any] = {
            "id": public_id("ast", name),
            "external_id": name,
            "kind": chooser.choose(*KINDS),
            "status": chooser.choose(*STATUSES),
        }
        values |= {
            "name": chooser.choose(*NAMES, *NEAR_NAMES),
            "name_key": chooser.choose("a", "zz", ""),
            "tags": [],
            "version": "1",
        }
        values |= {
            "url": "https://hidden.org",
            "created_at": chooser.choose(0, 2**41),
            "updated_at": chooser.choose(0, 2**41),
        }
        values |= {"is_gold": chooser.choose(0, 1), "gold_at": 5} | ({"data_kind": "DATASET", "app_kind": "OTHER"})
        expressions = {name: sql_literal(value) for name, value in values.items()} | {"owner_pk": "pk"}
        owner = chooser.choose(*self.other_users)
        statements = [
            insert_statement("asset", "principal", f"external_id = {sql_literal(owner)}", expressions),
            _insert_grant(name, owner, OWNER),
        ]
        statements += [
            _insert_grant(name, to, chooser.choose(*ACCESS.values()))
            for to in chooser.sample(self.other_principals, 2)
            if to != owner
        ]
        statements += [_insert_tag(name, tag) for tag in chooser.sample(TAGS, 2)]
        statements += [_insert_use(name, used, 3) for used in chooser.sample(list(self.model.asset), 2)]
        return statements + [self._insert_member(slug, name) for slug in chooser.sample(list(self.model.collection), 3)]

    def delete_asset(self) -> Sequence[str] | None:
        """Delete a hidden asset that no logged change refers to, with all rows that refer to it."""
        if not self.hidden_assets:
            return None
        untouched = "NOT EXISTS (SELECT 1 FROM change_asset WHERE asset_pk = asset.pk)"
        one = f"(SELECT pk FROM asset WHERE {self._one_of(self.hidden_assets)} AND {untouched})"
        return [
            f"DELETE FROM asset_use WHERE asset_pk = {one} OR uses_pk = {one}",
            *(f"DELETE FROM {table} WHERE asset_pk = {one}" for table in ("asset_tag", "membership", "access_grant")),
            f"DELETE FROM asset WHERE pk = {one}",
        ]

    def edit_asset(self) -> Sequence[str] | None:
        """Change the name, kind, dates or other fields of a hidden asset."""
        if not self.hidden_assets:
            return None
        chooser = self.chooser
        changes: dict[str, Any] = chooser.choose(
            {"name": chooser.choose(*NAMES, *NEAR_NAMES), "name_key": chooser.choose("a", "zz", "")},
            {"kind": chooser.choose(*KINDS), "data_kind": "RESULT", "app_kind": "SHINY"},
            {"created_at": chooser.choose(0, 2**41)},
            {"updated_at": chooser.choose(0, 2**41)},
            {"properties": '{"secret": ["secret"]}'},
            {"description": "secret", "license": "MIT", "doi": "10.1/secret", "version": "9"},
            {"is_gold": chooser.choose(0, 1), "gold_at": 9, "gold_note": "secret"},
            {"size_bytes": 7, "file_count": 8, "language": "C", "framework": "x", "step_count": 3},
        )
        return [update_statement("asset", self._one_of(self.hidden_assets), **changes)]

    def tag_asset(self) -> Sequence[str] | None:
        """Add a tag to a hidden asset."""
        return self.hidden_assets and [
            _insert_tag(self.chooser.choose(*self.hidden_assets), self.chooser.choose(*TAGS))
        ]

    def set_status(self) -> Sequence[str] | None:
        """Change a hidden asset's status: to any if the viewer has no access, otherwise to one that hides the asset."""
        if not self.hidden_assets:
            return None
        asset = self.chooser.choose(*self.hidden_assets)
        is_free = not self.model.access(self.who, asset)
        return [
            update_statement(
                "asset",
                f"external_id = {sql_literal(asset)}",
                status=self.chooser.choose(*STATUSES if is_free else ARCHIVED_STATUSES),
            )
        ]

    def set_grant(self) -> Sequence[str] | None:
        """Change a grant of someone else on an asset whose grants the viewer does not see."""
        if not (self.assets_with_hidden_grants and self.other_principals):
            return None
        asset, to = self.chooser.choose(*self.assets_with_hidden_grants), self.chooser.choose(*self.other_principals)
        if to == self.model.asset[asset]["owner"]:
            return None
        asset_pk = f"(SELECT pk FROM asset WHERE external_id = {sql_literal(asset)})"
        condition = f"asset_pk = {asset_pk} AND principal_pk = {_principal_pk(to)}"
        deletion = f"DELETE FROM access_grant WHERE {condition}"
        return (
            [deletion]
            if self.chooser.happens(3)
            else [deletion, _insert_grant(asset, to, self.chooser.choose(*ACCESS.values()))]
        )

    def add_membership(self) -> Sequence[str] | None:
        """Add a hidden asset to a collection at any rank."""
        asset, slug = self.chooser.choose(None, *self.hidden_assets), self.chooser.choose(None, *self.model.collection)
        return [self._insert_member(slug, asset)] if asset and slug and self._stays_hidden(asset, slug) else None

    def remove_memberships(self) -> Sequence[str] | None:
        """Remove a hidden asset from all collections."""
        return self.hidden_assets and [f"DELETE FROM membership WHERE {self._membership_condition()}"]

    def edit_memberships(self) -> Sequence[str] | None:
        """Change rank, date, note and author of a hidden asset's memberships."""
        changes = {
            "rank": self.chooser.choose(1, 5, 2**50),
            "added_at": self.chooser.choose(0, 2**41),
            "note": "secret",
        }
        if not self.hidden_assets:
            return None
        edit = update_statement("membership", self._membership_condition(), **changes)
        author_pk = _principal_pk(self.chooser.choose(*USERS))
        return [edit, f"UPDATE membership SET added_by_pk = {author_pk} WHERE {self._membership_condition()}"]

    def set_use(self) -> Sequence[str] | None:
        """Add or remove uses of an asset whose content is hidden."""
        if not self.contentless_assets:
            return None
        asset, used = self.chooser.choose(*self.contentless_assets), self.chooser.choose(*self.model.asset)
        deletion = (
            f"DELETE FROM asset_use WHERE asset_pk = (SELECT pk FROM asset WHERE external_id = {sql_literal(asset)})"
        )
        return [deletion] if self.chooser.happens(3) else [_insert_use(asset, used, self.chooser.choose(0, 9))]

    def edit_content(self) -> Sequence[str] | None:
        """Change the content of an asset whose content is hidden."""
        where = "https://elsewhere.org"
        return self.contentless_assets and [
            update_statement(
                "asset", self._one_of(self.contentless_assets), url=self.chooser.choose(None, where), source=where
            )
        ]

    def add_to_log(self) -> Sequence[str] | None:
        """Add a hidden asset to logged changes by others that touched a visible asset, and to deletions."""
        if not self.hidden_assets:
            return None
        hidden = ", ".join(map(sql_literal, self.hidden_assets))
        seen = f"SELECT pk FROM asset WHERE external_id NOT IN ({hidden})"
        touches_visible = f"change.pk IN (SELECT change_pk FROM change_asset WHERE asset_pk IN ({seen}))"
        is_seen = f"({touches_visible} OR change.action = 'DELETED' AND change.subject_id LIKE 'col%')"
        of_others = f"actor_pk <> coalesce({_principal_pk(self.who)}, 0)"
        condition = {"change_pk": "change.pk", "asset_pk": "asset.pk"}
        return [
            insert_statement(
                "change_asset",
                "change, asset",
                f"{self._one_of(self.hidden_assets)} AND {of_others} AND {is_seen}",
                condition,
            )
        ]

    # Hidden collections, topics and users.

    def add_collection(self) -> Sequence[str] | None:
        """Add a hidden collection with assets."""
        visibility = next((candidate for candidate in ("INTERNAL", "PUBLIC") if self._is_hidden(candidate)), None)
        if visibility is None:
            return None
        slug = f"col-{self.number}"
        topic = self.chooser.choose(*self.model.topic)
        values: dict[str, Any] = {
            "id": public_id("col", slug),
            "slug": slug,
            "name": slug,
            "name_key": slug,
            "visibility": visibility,
        }
        values |= {
            "rank": self.chooser.choose(3, 2**50) + self.number,
            "version": 1,
            "created_at": 0,
            "updated_at": 2**41,
        }
        expressions = {name: sql_literal(value) for name, value in values.items()} | {
            "description": "''",
            "topic_pk": "pk",
        }
        assets = self.chooser.sample(list(self.model.asset), 4)
        statements = [insert_statement("collection", "topic", f"slug = {sql_literal(topic)}", expressions)]
        return statements + [self._insert_member(slug, asset) for asset in assets]

    def edit_collection(self) -> Sequence[str] | None:
        """Change the name, slug, version, description or rank of a hidden collection."""
        chooser, new = self.chooser, f"secret {self.number}"
        changes = chooser.choose(
            {"name": new, "name_key": new, "slug": f"secret-{self.number}"},
            {"version": 9, "updated_at": chooser.choose(0, 2**41), "created_at": 1},
            {"description": new},
            {"rank": chooser.choose(2, 2**50) + self.number},
        )
        return self.hidden_collections and [
            update_statement("collection", f"slug = {sql_literal(chooser.choose(*self.hidden_collections))}", **changes)
        ]

    def reparent_collection(self) -> Sequence[str] | None:
        """Move a hidden collection below any other, or a visible one below a hidden one, or either to the top level."""
        if not self.hidden_collections:
            return None
        slug = self.chooser.choose(*self._movable_collections())
        parents = [
            parent
            for parent in self._possible_parents(slug)
            if self._fits_at_depth(slug, len(self._with_ancestors(parent)))
        ]
        return [
            _set_parent(
                slug,
                self.chooser.choose(
                    None, *(parent for parent in parents if {slug, parent} & {*self.hidden_collections})
                ),
            )
        ]

    def insert_hidden_parent(self) -> Sequence[str] | None:
        """Move a hidden collection below a visible one, and another visible one below it."""
        visible = [slug for slug in self.model.collection if slug not in self.hidden_collections]
        candidates = [
            (inner, hidden, outer)
            for hidden in self.hidden_collections
            for outer in set(visible) & set(self._possible_parents(hidden))
            for inner in set(visible) & set(self._movable_collections()) - {*self._with_ancestors(outer)}
            if hidden not in self._with_ancestors(outer)
            and inner in self._possible_parents(hidden)
            and self._fits_at_depth(hidden, len(self._with_ancestors(outer)))
            and self._fits_at_depth(inner, len(self._with_ancestors(outer)) + 1)
        ]
        if not candidates:
            return None
        inner, hidden, outer = self.chooser.choose(*sorted(candidates))
        return [_set_parent(hidden, outer), _set_parent(inner, hidden)]

    def set_hidden_membership(self) -> Sequence[str] | None:
        """Add any asset to a hidden collection, or empty the collection."""
        if not self.hidden_collections:
            return None
        slug = self.chooser.choose(*self.hidden_collections)
        if self.chooser.happens(3):
            collection_pk = f"(SELECT pk FROM collection WHERE slug = {sql_literal(slug)})"
            return [f"DELETE FROM membership WHERE collection_pk = {collection_pk}"]
        return [self._insert_member(slug, self.chooser.choose(*self.model.asset))] if self.model.asset else None

    def edit_topic(self) -> Sequence[str] | None:
        """Change the name, description, rank or version of a hidden topic."""
        new, chooser = f"secret {self.number}", self.chooser
        changes = chooser.choose(
            {"name": new, "name_key": new}, {"description": new}, {"rank": 5 + self.number}, {"version": 7}
        )
        return self.hidden_topics and [
            update_statement("topic", f"slug = {sql_literal(chooser.choose(*self.hidden_topics))}", **changes)
        ]

    def add_user(self) -> Sequence[str] | None:
        """Add a user. Only for an anonymous viewer, who sees no users except owners of visible assets."""
        name = f"user{self.number}"
        values = {"id": public_id("usr", name), "external_id": name, "kind": "USER", "name": "secret", "is_admin": True}
        expressions = {name: sql_literal(value) for name, value in values.items()}
        return [insert_statement("principal", "deployment", "true", expressions)] if self.who == ANONYMOUS else None

    def rename_people(self) -> Sequence[str] | None:
        """Change all email addresses, and the names of up to two users or groups that own no visible asset.

        Only for an anonymous viewer, who sees neither.
        """
        if self.who != ANONYMOUS:
            return None
        owners = {
            self.model.asset[asset]["owner"] for asset in self.model.asset if self.model.sees_asset(ANONYMOUS, asset)
        }
        statements = [update_statement("principal", "kind = 'USER'", email="secret@example.org")]
        unknown = [name for name in (*self.other_users, *self.model.groups) if name not in owners]
        return statements + [
            update_statement("principal", f"external_id = {sql_literal(name)}", name="secret") for name in unknown[:2]
        ]

    def swap_external_ids(self) -> Sequence[str] | None:
        """Swap the external ids of two other users. Only for an anonymous viewer, who sees no external id of a user."""
        if self.who != ANONYMOUS:
            return None
        one, other = self.chooser.random.sample([user for user in self.other_users if user != ADMIN], 2)
        renames = ((one, "nobody"), (other, one), ("nobody", other))
        return [
            f"UPDATE principal SET name = name, external_id = {sql_literal(new)} WHERE external_id = {sql_literal(old)}"
            for old, new in renames
        ]

    def change_group(self) -> Sequence[str] | None:
        """Add another user to a group or remove one. Only of groups whose members the viewer does not see."""
        groups = [group for group in self.model.groups if not self.model.sees_members(self.who, group)]
        if not groups:
            return None
        group, user = self.chooser.choose(*groups), self.chooser.choose(*self.other_users)
        condition = f"(group_pk, user_pk) = ({_principal_pk(group)}, {_principal_pk(user)})"
        if self.chooser.happens(4):
            return [f"DELETE FROM group_member WHERE {condition}"]
        pks = {"group_pk": _principal_pk(group), "user_pk": _principal_pk(user)}
        return [insert_statement("group_member", "deployment", "true", pks)]

    def set_administrator(self) -> Sequence[str] | None:
        """Make another user an administrator, or stop them being one. Only for an anonymous viewer."""
        if self.who != ANONYMOUS:
            return None
        user = self.chooser.choose(*(user for user in self.other_users if user != ADMIN))
        return [update_statement("principal", f"external_id = {sql_literal(user)}", is_admin=self.chooser.happens(4))]

    def add_token(self) -> Sequence[str] | None:
        """Give another user an API token."""
        name = f"token{self.number}"
        values = {"id": public_id("tok", name), "digest": name, "name": self.chooser.choose(*NAMES)}
        values |= {"created_at": self.chooser.choose(0, 2**41), "expires_at": 2**42}
        expressions = {column: sql_literal(value) for column, value in values.items()} | {"user_pk": "pk"}
        owner = sql_literal(self.chooser.choose(*self.other_users))
        return [insert_statement("api_token", "principal", f"external_id = {owner}", expressions)]

    def deactivate_user(self) -> Sequence[str] | None:
        """Deactivate another user, or reactivate them. Only for an anonymous viewer."""
        if self.who != ANONYMOUS:
            return None
        user = self.chooser.choose(*(user for user in self.other_users if user != ADMIN))
        return [update_statement("principal", f"external_id = {sql_literal(user)}", is_active=self.chooser.happens(4))]

    def add_job(self) -> Sequence[str]:
        """Add a job of another user."""
        name = f"job{self.number}"
        values = {
            "id": public_id("job", name),
            "kind": "ASSETS_ADD",
            "status": "RUNNING",
            "request_id": "r",
            "total": 5,
        }
        values |= {"done": 1, "is_cancelled": False, "user_errors": [], "created_at": 1, "leased_until": 2**41}
        expressions = {name: sql_literal(value) for name, value in values.items()} | {"user_pk": "pk"}
        return [
            insert_statement(
                "job", "principal", f"external_id = {sql_literal(self.chooser.choose(*self.other_users))}", expressions
            )
        ]

    # Operations by others.

    def query_as_other(self) -> WorldChange:
        """Run a query as someone else."""
        who = self.chooser.choose(*(viewer for viewer in (*USERS, ANONYMOUS) if viewer != self.who))
        return WorldChange(
            "others read", who=who, operation=OperationGenerator(self.chooser.random, self.vocabulary).query()
        )

    def dry_run_as_other(self) -> WorldChange:
        """Dry-run a mutation as someone else."""
        name = self.chooser.choose("collectionAssetsAdd", "collectionAssetsRemove", "collectionDelete", "topicMerge")
        question = OperationGenerator(self.chooser.random, self.vocabulary).mutation([name])
        ((argument, mutation_input),) = question.selections[0].arguments.items()
        dry = mutation_input._replace(value={**mutation_input.value, "dryRun": True})
        return WorldChange(
            "others try",
            who=self.chooser.choose(*self.other_users),
            operation=_with_input(question.selections[0], argument, dry),
        )

    def add_assets(self) -> WorldChange | None:
        """Add hidden assets to a collection as their owner."""
        owner_and_assets = self._owner_and_assets()
        slug = self.chooser.choose(None, *self.model.collection)
        if (
            not owner_and_assets
            or slug is None
            or not all(self._stays_hidden(asset, slug) for asset in owner_and_assets[1])
        ):
            return None
        position = self.chooser.choose({"atStart": True}, {"atEnd": True}, *self._neighbours(slug))
        mutation_input = {
            "collectionId": self._id(slug),
            "assetIds": self._ids(owner_and_assets[1]),
            "position": position,
        }
        return mutation_change(
            "collectionAssetsAdd", owner_and_assets[0], mutation_input | {"mode": "BEST_EFFORT", "note": "secret"}
        )

    def remove_asset(self) -> WorldChange | None:
        """Remove a hidden asset from a collection as another user."""
        memberships = [(slug, asset) for asset in self.hidden_assets for slug in self.model.holders[asset]]
        if not memberships or self.who == ADMIN:
            return None
        slug, asset = self.chooser.choose(*memberships)
        mutation_input = {"collectionId": self._id(slug), "assetIds": self._ids([asset])}
        return mutation_change("collectionAssetsRemove", self.chooser.choose(*self.other_users), mutation_input)

    def reorder_asset(self) -> WorldChange | None:
        """Reorder a hidden member as an administrator."""
        memberships = [(slug, asset) for asset in self.hidden_assets for slug in self.model.holders[asset]]
        if not memberships or self.who == ADMIN:
            return None
        slug, asset = self.chooser.choose(*memberships)
        neighbours = [neighbour for neighbour in self._neighbours(slug) if self._id(asset) not in neighbour.values()]
        position = self.chooser.choose({"atStart": True}, {"atEnd": True}, *neighbours)
        mutation_input = {"collectionId": self._id(slug), "assetIds": self._ids([asset]), "position": position}
        return mutation_change("collectionAssetsReorder", ADMIN, mutation_input)

    def move_past_hidden(self, within: str | None = None) -> WorldChange | None:
        """Move a visible member past hidden ones as an administrator, so that the visible order stays.

        `within` is its collection; None for any.
        """
        moves = [
            (slug, asset, {side: self._id(neighbour)})
            for slug, members in self.model.members.items()
            if within in {None, slug}
            for order, side in ((members, "afterId"), (members[::-1], "beforeId"))
            for place, asset in enumerate(order)
            if asset not in self.hidden_assets
            for neighbour in takewhile(self.hidden_assets.__contains__, order[place + 1 :])
        ]
        if not moves or self.who == ADMIN:
            return None
        owned = [move for move in moves if move[1] not in self.unowned_assets]
        slug, asset, position = self.chooser.choose(*(owned or moves))
        mutation_input = {"collectionId": self._id(slug), "assetIds": self._ids([asset]), "position": position}
        return mutation_change("collectionAssetsReorder", ADMIN, mutation_input)

    def award_asset(self) -> WorldChange | None:
        """Award or withdraw the gold standard of a hidden asset as an administrator."""
        if not self.hidden_assets or self.who == ADMIN:
            return None
        mutation_input = {
            "assetId": self._id(self.chooser.choose(*self.hidden_assets)),
            "awarded": self.chooser.happens(5),
            "note": "secret",
        }
        return mutation_change("assetGoldStandardSet", ADMIN, mutation_input)

    def update_grants(self) -> WorldChange | None:
        """Grant another user access to an asset whose grants the viewer does not see, or revoke it, as its owner."""
        users = [principal for principal in self.other_principals if principal in self.model.users]
        if not (self.assets_with_hidden_grants and users):
            return None
        asset = self.chooser.choose(*self.assets_with_hidden_grants)
        owner, to = self.model.asset[asset]["owner"], {"userId": self._id(self.chooser.choose(*users))}
        if owner not in self.other_users:
            return None
        mutation_input = (
            {"set": [{"to": to, "access": self.chooser.choose(*ACCESS)}]}
            if self.chooser.happens(5)
            else {"revoke": [to]}
        )
        return mutation_change("assetGrantsUpdate", owner, {"assetId": self._id(asset)} | mutation_input)

    def register_asset(self) -> WorldChange | None:
        """Register a hidden asset again as an administrator."""
        if not self.hidden_assets or self.who == ADMIN:
            return None
        line = self.model.asset[self.chooser.choose(*self.hidden_assets)]
        registration = {
            "externalId": line["id"],
            "kind": line["type"],
            "ownerId": self._id(line["owner"]),
            "name": "secret",
        }
        return mutation_change("assetsRegister", ADMIN, {"assets": [registration | {"url": "https://secret.org"}]})

    def register_content(self) -> WorldChange | None:
        """Register an asset again, as the viewer, an administrator, with content that they do not see afterwards."""
        if not self.contentless_assets or self.who != ADMIN:
            return None
        line = self.model.asset[self.chooser.choose(*self.contentless_assets)]
        registration = {
            "externalId": line["id"],
            "kind": line["type"],
            "name": line["name"],
            "ownerId": self._id(line["owner"]),
        }
        mutation_input = {"assets": [registration | {"url": self.chooser.choose("https://secret.org", None)}]}
        return mutation_change("assetsRegister", ADMIN, mutation_input)

    def delete_collection(self) -> WorldChange | None:
        """Delete a hidden collection whose parent is not visible, as an administrator."""
        parents = {slug: self.model.collection[slug].get("parent") for slug in self.hidden_collections}
        candidates = [slug for slug, parent in parents.items() if parent is None or parent in self.hidden_collections]
        if not candidates or self.who == ADMIN:
            return None
        return mutation_change("collectionDelete", ADMIN, {"id": self._id(self.chooser.choose(*candidates))})

    def update_collection(self) -> WorldChange | None:
        """Rename a hidden collection as an administrator."""
        if not self.hidden_collections or self.who == ADMIN:
            return None
        mutation_input = {
            "id": self._id(self.chooser.choose(*self.hidden_collections)),
            "name": f"secret {self.number}",
        }
        return mutation_change("collectionUpdate", ADMIN, mutation_input)

    def create_topic(self) -> WorldChange | None:
        """Create an empty topic as an administrator. Only for an anonymous viewer, who does not see empty topics."""
        if self.who != ANONYMOUS:
            return None
        position = self.chooser.choose({"atStart": True}, {"atEnd": True})
        return mutation_change("topicCreate", ADMIN, {"name": f"secret {self.number}", "position": position})

    # Helpers.

    def _can_hide_assets(self) -> bool:
        return self.who != ADMIN

    def _is_hidden(self, visibility: str) -> bool:
        if self.who == ADMIN:
            return False
        return (
            visibility == "INTERNAL"
            if self.who == ANONYMOUS and self.model.has_public_sharing
            else (self.who == ANONYMOUS or (visibility == "PUBLIC" and not self.model.has_public_sharing))
        )

    def _with_ancestors(self, slug: str) -> list[str]:
        """Return a collection and its ancestors."""
        parent = self.model.collection[slug].get("parent")
        return [slug, *(self._with_ancestors(parent) if parent else ())]

    def _movable_collections(self) -> list[str]:
        """Return the collections that are hidden or have no visible parent."""
        lines, hidden = self.model.collection, self.hidden_collections
        return [slug for slug in lines if slug in hidden or lines[slug].get("parent") in {None, *hidden}]

    def _possible_parents(self, slug: str) -> list[str]:
        """Return the collections of the same topic outside the subtree of this one."""
        lines = self.model.collection
        return [
            other
            for other in lines
            if lines[other]["topic"] == lines[slug]["topic"] and slug not in self._with_ancestors(other)
        ]

    def _fits_at_depth(self, slug: str, depth: int) -> bool:
        """Return whether a collection and its descendants fit below a parent at that depth."""
        chains = [chain for other in self.model.collection if slug in (chain := self._with_ancestors(other))]
        height = max(map(len, chains)) - min(map(len, chains))
        return depth + 1 + height <= MAX_COLLECTION_DEPTH

    def _stays_hidden(self, asset: str, slug: str) -> bool:
        """Return whether a hidden asset stays hidden when it is added to the collection.

        An anonymous visitor sees assets with a grant to public only in visible collections.
        """
        line = self.model.asset[asset]
        is_public = any(grant["to"] == "public" for grant in line["grants"])
        return (
            self.who != ANONYMOUS
            or not is_public
            or slug in self.hidden_collections
            or self.model.status(asset) in ARCHIVED_STATUSES
        )

    def _owner_and_assets(self) -> tuple[str, list[str]] | None:
        owners = sorted({self.model.asset[asset]["owner"] for asset in self.hidden_assets} & set(self.other_users))
        if not owners or self.who == ADMIN:
            return None
        owner = self.chooser.choose(*owners)
        assets = [asset for asset in self.hidden_assets if self.model.asset[asset]["owner"] == owner]
        return owner, self.chooser.sample(assets, 3) or assets[:1]

    def _neighbours(self, slug: str) -> list[dict[str, Any]]:
        return [{side: self._id(asset)} for asset in self.model.members[slug] for side in ("afterId", "beforeId")]

    def _insert_member(self, slug: str, asset: str) -> str:
        rank = self.chooser.choose(1, 7, 2**20 + 1, 2**21 - 1, 2**50)
        condition = f"collection.slug = {sql_literal(slug)} AND asset.external_id = {sql_literal(asset)}"
        values = {"collection_pk": "collection.pk", "asset_pk": "asset.pk", "rank": str(rank), "added_at": "3"}
        return insert_statement("membership", "collection, asset", condition, values)

    def _membership_condition(self) -> str:
        return f"asset_pk = (SELECT pk FROM asset WHERE {self._one_of(self.hidden_assets)})"

    def _one_of(self, assets: Sequence[str]) -> str:
        return f"external_id = {sql_literal(self.chooser.choose(*assets))}"

    def _id(self, name: str) -> str:
        return self.model.ids[name]

    def _ids(self, names: Sequence[str]) -> list[str]:
        return [self.model.ids[name] for name in names]


def mutation_change(mutation: str, who: str, mutation_input: dict[str, Any], *, in_both: bool = False) -> WorldChange:
    """Return the change that a mutation by someone makes."""
    kind = f"{mutation[0].upper()}{mutation[1:]}Input!"
    selected = Selection(mutation, "", {"input": Argument(kind, mutation_input)}, [Selection("__typename", "String")])
    return WorldChange(mutation, who=who, operation=Operation("mutation", [selected]), in_both=in_both)


def _with_input(selected: Selection, argument: str, mutation_input: Argument) -> Operation:
    return Operation(
        "mutation", [Selection(selected.name, selected.type, {argument: mutation_input}, selected.selections)]
    )


def _principal_pk(name: str) -> str:
    return f"(SELECT pk FROM principal WHERE external_id = {sql_literal(name)})"


def _set_parent(slug: str, above: str | None) -> str:
    parent = f"(SELECT pk FROM collection WHERE slug = {sql_literal(above)})"
    return f"UPDATE collection SET parent_pk = {parent} WHERE slug = {sql_literal(slug)}"


def _insert_grant(asset: str, to: str, access: int) -> str:
    values = {"asset_pk": "pk", "principal_pk": _principal_pk(to), "access": str(access)}
    return insert_statement("access_grant", "asset", f"external_id = {sql_literal(asset)}", values)


def _insert_tag(asset: str, tag: str) -> str:
    values = {"asset_pk": "pk", "tag": sql_literal(tag), "tag_key": sql_literal(tag_key(tag))}
    return insert_statement("asset_tag", "asset", f"external_id = {sql_literal(asset)}", values)


def _insert_use(asset: str, used: str, rank: int) -> str:
    condition = (
        f"asset.external_id = {sql_literal(asset)} AND used.external_id = {sql_literal(used)} AND asset.pk <> used.pk"
    )
    values = {"asset_pk": "asset.pk", "uses_pk": "used.pk", "rank": str(rank)}
    return insert_statement("asset_use", "asset, asset used", condition, values)


CHANGES: dict[str, Callable[[HiddenChanges], WorldChange | Sequence[str] | None]] = {
    change.__name__: change
    for change in (
        HiddenChanges.add_asset,
        HiddenChanges.delete_asset,
        HiddenChanges.edit_asset,
        HiddenChanges.tag_asset,
        HiddenChanges.set_status,
        HiddenChanges.set_grant,
        HiddenChanges.add_membership,
        HiddenChanges.remove_memberships,
        HiddenChanges.edit_memberships,
        HiddenChanges.set_use,
        HiddenChanges.edit_content,
        HiddenChanges.add_to_log,
        HiddenChanges.add_collection,
        HiddenChanges.edit_collection,
        HiddenChanges.reparent_collection,
        HiddenChanges.insert_hidden_parent,
        HiddenChanges.set_hidden_membership,
        HiddenChanges.edit_topic,
        HiddenChanges.add_user,
        HiddenChanges.rename_people,
        HiddenChanges.swap_external_ids,
        HiddenChanges.change_group,
        HiddenChanges.set_administrator,
        HiddenChanges.deactivate_user,
        HiddenChanges.add_job,
        HiddenChanges.add_token,
        HiddenChanges.query_as_other,
        HiddenChanges.dry_run_as_other,
        HiddenChanges.add_assets,
        HiddenChanges.remove_asset,
        HiddenChanges.reorder_asset,
        HiddenChanges.move_past_hidden,
        HiddenChanges.award_asset,
        HiddenChanges.update_grants,
        HiddenChanges.register_asset,
        HiddenChanges.delete_collection,
        HiddenChanges.update_collection,
        HiddenChanges.create_topic,
        HiddenChanges.register_content,
    )
}
# Drawn more often: these affect most of the channels through which hidden data could leak.
FREQUENT = (
    "add_asset",
    "add_membership",
    "add_assets",
    "set_hidden_membership",
    "add_collection",
    "add_assets",
    "move_past_hidden",
    "edit_asset",
    "reparent_collection",
    "insert_hidden_parent",
)
