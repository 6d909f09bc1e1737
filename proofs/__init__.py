"""This folder is the proofs that hidden is absent: harnesses that try to break the promise, one a file."""
