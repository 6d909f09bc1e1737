"""Permission matrix, written by hand, against every place where the API exposes an asset."""
