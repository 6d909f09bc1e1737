"""Inputs and payloads of mutations: one file per noun, without SQL or logic."""
