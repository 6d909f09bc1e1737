"""The peers: servers that answer the same operations from the same rows."""
