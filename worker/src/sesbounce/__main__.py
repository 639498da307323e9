"""The start of the command `sesbounce`: it hears SIGTERM before the slow imports begin."""

import signal
import sys

from sesbounce.signals import SIGNALLED, signals


def main() -> None:
    """Run the command."""
    signals.hear(signal.SIGTERM)
    try:
        from sesbounce.cli import main as command  # noqa: PLC0415  after the handler
    except KeyboardInterrupt:
        sys.exit(SIGNALLED + signal.SIGINT)
    command()


if __name__ == "__main__":
    main()
