"""Benchmarks: Atoll's times as ratios to those of minimal alternatives, measured in the same run."""
