"""Permission matrix: who sees and may do what, written by hand, against every place where the API exposes an asset."""
