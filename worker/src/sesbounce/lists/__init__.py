"""Reads lists of addresses from files, and writes them to files."""
