"""Commands of `atoll`, which app/cli.py registers: one file a subject."""
