"""Error of a synchronisation."""


class SyncError(Exception):
    """The platform could not be read, so nothing was imported; the message tells the command line's user why."""
