"""Proof that walks by cursors meet each row that stays in the list once, in order, while others write."""
