"""Proof that importing a changing file again and again never undoes an edit of people in between."""
