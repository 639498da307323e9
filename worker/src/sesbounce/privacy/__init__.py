"""Erases an address and keeps it suppressed. Pure: no I/O, no clock."""
