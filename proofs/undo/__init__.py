"""Proof that undoing random mutations, the last first, restores the world step by step."""
