"""A schema of lists in lists, small enough to count by hand."""

from graphql import build_schema

SCHEMA = build_schema("""
type Query {
  things(first: Int = 20): Connection!
  unsized(first: Int): [Thing!]!
  thing: Thing
  plain: [Thing!]!
  search(in: Filter): Thing
}
input Filter { words: [String!] }
interface Named { name: String  things(first: Int = 20): Connection! }
type Thing implements Named {
  name: String
  tags: [String!]!
  thing: Thing
  plain: [Thing!]!
  things(first: Int = 20): Connection!
}
type Connection { edges: [Edge!]!  total: Int  ends: [Thing!]! }
type Edge { node: Thing!  cursor: String }
""")
