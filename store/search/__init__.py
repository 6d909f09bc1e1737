"""This folder is search: what texts are found by, kept beside the rows and in their transaction."""
