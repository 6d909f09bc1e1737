"""Failing calls: each database call of each mutation fails once, and the mutation is made as a whole or not at all."""
