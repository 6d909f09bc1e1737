"""graphql-core's executor with a budget: a query ends when it completed too many fields or characters."""

from typing import Any, Final

from graphql import GraphQLLeafType, GraphQLObjectType, OperationType
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.request_limits import BUDGET_FIELDS, BudgetError, ResponseSizeError, max_response_bytes

INTROSPECTION_WEIGHT: Final = 6
"""Fields of the schema count as often, as no static cost limits them; the editor's query selects 9,500."""


class GuardedExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executor of one operation. A mutation has no budget of fields, because its changes have to be reported."""

    _completed_fields = _characters = 0

    def execute_fields(self, parent_type: GraphQLObjectType, *arguments: Any) -> Any:
        """Execute the fields of one object. Raises BudgetError, which no field catches, when the budget is used up."""
        selected = len(arguments[2])
        self._completed_fields += selected * (INTROSPECTION_WEIGHT if parent_type.name.startswith("__") else 1)
        if self._completed_fields > BUDGET_FIELDS and self.operation.operation is not OperationType.MUTATION:
            raise BudgetError
        return super().execute_fields(parent_type, *arguments)

    def complete_leaf_value(self, return_type: GraphQLLeafType, result: Any) -> Any:  # type: ignore[override]  # a static method there, which cannot count
        """Complete a value. Raises ResponseSizeError when the texts of the operation are too long."""
        value = super().complete_leaf_value(return_type, result)
        if value.__class__ is str:
            self._characters += len(value)
            is_mutation = self.operation.operation is OperationType.MUTATION
            if self._characters > max_response_bytes(is_visitor=False, is_mutation=is_mutation):
                raise ResponseSizeError
        return value
