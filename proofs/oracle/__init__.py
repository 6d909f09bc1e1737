"""Differential test of the API against an oracle, a model in plain Python."""
