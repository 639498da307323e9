"""Erasure that keeps an address suppressed. Pure."""
