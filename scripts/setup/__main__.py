"""Makes the environments named on the command line, side by side (`make setup`).

    python3 -m scripts.setup dev=.venv localstack checkov docs bench

`NAME=FOLDER` puts one elsewhere than in its usual folder; LocalStack's has only that.
"""

import sys

OLDEST = (3, 11)


def check_python() -> None:
    """Refuse a Python that is too old, before it imports anything that it could not read."""
    if sys.version_info < OLDEST:
        have = ".".join(map(str, sys.version_info[:3]))
        want = ".".join(map(str, OLDEST))
        sys.exit(
            f"setup: Python {want} or newer is needed, {sys.executable} is {have}. "
            "Name another one: make setup PYTHON=python3.12"
        )


if __name__ == "__main__":
    check_python()
    from scripts.setup.side_by_side import main

    sys.exit(main(sys.argv[1:]))
