"""Handles dead letters: lists them by cause, records them, sends them back, deletes them."""
