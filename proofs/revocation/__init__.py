"""This folder is revocation: whoever asks after a right was taken away no longer sees by it, in two processes."""
