"""Resolvers: plain functions from a parent's row to the rows of a field, in one file per object type."""
