"""Proofs that hidden data is absent: harnesses that search for counterexamples."""
