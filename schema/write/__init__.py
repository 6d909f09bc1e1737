"""This folder is the shape of what changes things: a file a noun, inputs and payloads, with no SQL and no logic."""
