"""Validation rule of @oneOf inputs."""

from collections.abc import Iterable
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLNamedType,
    NonNullTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    VariableDefinitionNode,
    VariableNode,
)
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule


class OneOfRule(OneOfInputValidationRule):
    """Strawberry's rule, which alone fails for undefined variables and for fragments that precede their operation."""

    def enter_document(self, document: DocumentNode, *_: Any) -> None:
        """Keep the operations, whose variables the fragments use."""
        self._operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]

    def enter_operation_definition(self, node: Any, *_: Any) -> None:
        """Use the variables of the operation."""
        self._use([node])

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> None:
        """Use the variables of all operations that spread the fragment, directly or not."""
        spread = self.context.get_recursively_referenced_fragments
        self._use(operation for operation in self._operations if node in spread(operation))

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        """Do nothing: the operation has all of its variables already."""

    def validate_one_of(self, node: ObjectValueNode, type: GraphQLNamedType) -> None:  # noqa: A002 - Strawberry calls it by this name
        """Leave undefined variables to the rule that reports them."""
        is_undefined = any(
            isinstance(field.value, VariableNode) and field.value.name.value not in self.variable_definitions
            for field in node.fields
        )
        if not is_undefined:
            super().validate_one_of(node, type)

    def _use(self, operations: Iterable[OperationDefinitionNode]) -> None:
        definitions = [node for operation in operations for node in operation.variable_definitions or ()]
        # A nullable definition, which is the invalid one, replaces that of another operation.
        definitions.sort(key=lambda node: not isinstance(node.type, NonNullTypeNode))
        self.variable_definitions = {node.variable.name.value: node for node in definitions}
