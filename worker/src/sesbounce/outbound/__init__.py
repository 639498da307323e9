"""Delivers verdicts to targets outside of the database."""
