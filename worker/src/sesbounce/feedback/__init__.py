"""What SES says: pure functions from a queue message to events."""
