"""Soak test: a server process under mixed load for a long time, whose memory, descriptors and latencies stay flat."""
