"""Builds the worker's container image."""
