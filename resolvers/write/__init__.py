"""This folder is what changes things: a file a noun, each mutation a plain function from its input to a payload."""
