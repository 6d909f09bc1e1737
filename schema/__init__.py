"""GraphQL schema: Strawberry types, one file per noun, without SQL or logic."""
