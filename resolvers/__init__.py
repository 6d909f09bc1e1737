"""This room is what fetches: plain functions from rows to rows, in files named as the noun."""
