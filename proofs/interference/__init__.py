"""This folder is non-interference: worlds that differ only in what is hidden cannot be told apart."""
