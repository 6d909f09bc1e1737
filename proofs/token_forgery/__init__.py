"""Forged tokens of every known kind: all are refused, with one identical response."""
