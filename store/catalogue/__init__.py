"""This folder is the catalogue coming in: lines checked one by one, then written in one transaction."""
