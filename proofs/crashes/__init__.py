"""Crashes: servers and databases killed under load lose nothing that they acknowledged, and make nothing in part."""
