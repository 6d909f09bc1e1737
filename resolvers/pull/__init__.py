"""Pulls: the rows that a viewer sees, in one sequence that is fixed at the first page and served in pages."""
