"""Lists of addresses, read from files and written to them."""
