"""Deletion of a collection that has a hidden asset in one of the worlds, and none in the other.

Random cases seldom delete a collection without visible assets, and seldom read a certain change.
"""

from typing import Any

from proofs.interference.hidden_changes import ADMIN, WorldChange, mutation_change
from proofs.interference.operations import Argument, Operation, Selection
from proofs.interference.world import insert_statement, sql_literal
from tests.oracle import Model

SLUG = "to-delete"


def create_collection(model: Model) -> WorldChange:
    """Return the creation of an empty collection in both worlds."""
    topic_id = model.ids[min(model.topic)]
    return _change_both("collectionCreate", {"topicId": topic_id, "name": "To delete", "slug": SLUG})


def delete_collection(model: Model) -> WorldChange:
    """Return the deletion of that collection in both worlds."""
    return _change_both("collectionDelete", {"id": model.ids[SLUG]})


def add_to_deletion(collection_id: str, asset: str) -> WorldChange:
    """Return the change by which the deletion took a hidden asset with it."""
    is_deletion = f"change.subject_id = {sql_literal(collection_id)} AND change.action = 'DELETED'"
    condition = f"asset.external_id = {sql_literal(asset)} AND {is_deletion}"
    values = {"change_pk": "change.pk", "asset_pk": "asset.pk"}
    return WorldChange("add_to_deletion", [insert_statement("change_asset", "change, asset", condition, values)])


def read_change(id_: str) -> Operation:
    """Return the query for a change."""
    action = Selection("action", "ChangeAction", on="Change")
    return Operation("query", [Selection("node", "Node", {"id": Argument("ID!", id_)}, [action])])


def _change_both(mutation: str, mutation_input: dict[str, Any]) -> WorldChange:
    return mutation_change(mutation, ADMIN, mutation_input, in_both=True)
