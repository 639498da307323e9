"""Runs everything on this machine: LocalStack, the demo, the simulator."""
