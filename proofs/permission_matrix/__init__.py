"""This folder is the truth table: who sees what and who may do what, by hand, and all that the graph says to it."""
