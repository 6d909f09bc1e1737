"""Differential test of the engine against graphql-core: random operations must get the same bytes from both."""
