"""Builds the package of the function in AWS Lambda."""
