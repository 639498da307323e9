"""The messages of SES: pure functions from a queue message to events."""
