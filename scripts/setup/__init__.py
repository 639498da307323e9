"""Makes the Python environments of this checkout. Standard library only: it runs before them."""
