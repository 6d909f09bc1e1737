"""Benchmarks: Atoll's times as ratios of minimal alternatives, measured in the same run."""
