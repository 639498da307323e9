"""Clients of AWS, the SQS queue, and the check of SNS's signatures."""
