"""Validation rule of variables in @oneOf inputs."""

from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLNonNull,
    NonNullTypeNode,
    OperationDefinitionNode,
    ValidationRule,
    print_ast,
)


class OneOfVariablesRule(ValidationRule):
    """A field of a @oneOf input takes no nullable variable.

    graphql-core's own rule checks that only where the input itself may be null.
    """

    def leave_operation_definition(self, operation: OperationDefinitionNode, *_: Any) -> None:
        """Report the nullable variables of the operation and of its fragments."""
        definitions = {each.variable.name.value: each for each in operation.variable_definitions or ()}
        for usage in self.context.get_recursive_variable_usages(operation):
            definition, parent = definitions.get(usage.node.name.value), usage.parent_type
            if definition is None or isinstance(definition.type, NonNullTypeNode):
                continue
            input_type = parent.of_type if isinstance(parent, GraphQLNonNull) else None
            if isinstance(input_type, GraphQLInputObjectType) and input_type.is_one_of:
                message = (
                    f"Variable '${usage.node.name.value}' is of type '{print_ast(definition.type)}' but must be"
                    f" non-nullable to be used for OneOf Input Object '{input_type}'."
                )
                self.report_error(GraphQLError(message, [definition, usage.node]))
