"""Export of a catalogue: lines of all that a viewer sees, in the format that the import accepts."""
