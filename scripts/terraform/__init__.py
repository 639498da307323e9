"""Runs Terraform from Python."""
