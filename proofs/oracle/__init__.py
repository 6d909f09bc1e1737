"""This folder is agreement: all that the graph answers is what a model in plain Python says."""
