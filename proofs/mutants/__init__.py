"""This folder is mutants of `permissions/`: each small fault of that room fails a test."""
