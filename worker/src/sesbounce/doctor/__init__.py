"""Checks the wiring from SES to the worker."""
