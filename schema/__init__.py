"""This room is the shape of the graph: Strawberry types, one file a noun, with no SQL and no logic."""
