"""Catalogue import: parse and validate all lines, then write them in one transaction."""
