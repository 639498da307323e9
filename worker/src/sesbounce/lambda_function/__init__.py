"""The function that AWS Lambda calls with the messages of the queue."""
