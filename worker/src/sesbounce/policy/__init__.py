"""The state of an address and the verdict on it. Pure: no I/O, no clock."""
