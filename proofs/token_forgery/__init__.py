"""This folder is forged tokens, of every sort that is known: each is refused, and all alike."""
