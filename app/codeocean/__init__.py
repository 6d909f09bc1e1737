"""Synchronisation with a Code Ocean deployment: its assets become lines of a catalogue, which are imported."""
