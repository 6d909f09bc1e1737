"""Test of every place where the API exposes an asset against a permission matrix written by hand."""
