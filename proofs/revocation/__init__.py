"""Revocation across two server processes: no request that starts later benefits from the revoked permission."""
