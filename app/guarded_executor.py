"""graphql-core's executor with a budget: a query ends when it completed too many fields."""

from typing import Any, Final

from graphql import GraphQLObjectType, OperationType
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.request_limits import BUDGET_FIELDS, BudgetError

INTROSPECTION_WEIGHT: Final = 6
"""Fields of the schema count as often, as no static cost limits them; the editor's query selects 9,500."""


class GuardedExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executor of one operation. A mutation has no budget, because its changes have to be reported."""

    _completed_fields = 0

    def execute_fields(self, parent_type: GraphQLObjectType, *arguments: Any) -> Any:
        """Execute the fields of one object. Raises BudgetError, which no field catches, when the budget is used up."""
        selected = len(arguments[2])
        self._completed_fields += selected * (INTROSPECTION_WEIGHT if parent_type.name.startswith("__") else 1)
        if self._completed_fields > BUDGET_FIELDS and self.operation.operation is not OperationType.MUTATION:
            raise BudgetError
        return super().execute_fields(parent_type, *arguments)
