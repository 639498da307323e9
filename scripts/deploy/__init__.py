"""Deploys the stack to AWS and removes it again."""
