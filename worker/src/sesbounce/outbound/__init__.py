"""Tells targets outside of the transaction."""
