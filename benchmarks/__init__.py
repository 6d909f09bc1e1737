"""This folder is speed, measured side by side in one run, as ratios: Atoll beside the least that could do the same."""
