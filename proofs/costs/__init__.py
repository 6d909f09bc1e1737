"""Costs: random operations within the limits, in a world of 10,000 assets, and the CPU time that each takes."""
