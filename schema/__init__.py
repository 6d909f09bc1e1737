"""GraphQL schema: Strawberry types, one file a noun, without SQL or logic."""
