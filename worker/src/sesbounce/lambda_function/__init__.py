"""The loop that drains the queue."""
