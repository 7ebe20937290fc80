"""What a GraphQL document may ask for: limits that are checked in time linear in its size."""

from graphql_api.rules.cost import QueryCost, compile_cost
from graphql_api.rules.introspection import introspecting_operations
from graphql_api.rules.limits import QueryLimits
from graphql_api.rules.validation import check_cost, parse_query, validate_query

__all__ = [
    "QueryCost",
    "QueryLimits",
    "check_cost",
    "compile_cost",
    "introspecting_operations",
    "parse_query",
    "validate_query",
]
