"""Malformed requests: random bytes over sockets to a server process, which must answer or close each connection."""
