"""The HTTP API: answers programs that ask about addresses, and records decisions."""
