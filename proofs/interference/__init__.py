"""Non-interference: two worlds that differ only in hidden data give identical responses."""
