"""Resolvers: plain functions from rows to rows, in files named after the noun."""
