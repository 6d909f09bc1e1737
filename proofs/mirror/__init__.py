"""Proof that a copy kept by sync tokens equals a fresh pull."""
