"""Proofs that hidden data is absent and acknowledged data is kept: harnesses that search for counterexamples."""
