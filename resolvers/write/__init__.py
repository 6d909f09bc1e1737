"""Mutations: one file per noun, each mutation a function from its transaction and input to its result."""
