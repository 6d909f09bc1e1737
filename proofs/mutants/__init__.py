"""Mutation testing of `permissions/`: every small fault there must fail a test."""
