"""AWS: its clients, the queue, and what SNS signs."""
