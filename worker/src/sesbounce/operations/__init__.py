"""Rare work on all rows of the database."""
