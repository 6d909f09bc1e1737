"""The error of operations that graphql-core has to execute."""


class UnsupportedError(Exception):
    """The engine cannot execute the operation, or met an error in it; the message gives the reason."""
