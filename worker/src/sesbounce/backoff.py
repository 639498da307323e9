"""How long to wait before something is tried again: longer each time, and not all at once."""

import random

# The longest that SQS may be asked to hide a message is 12 hours; nobody wants to wait that long.
_LONGEST_SECONDS = 900.0


def pause(
    times: int, first_seconds: float = 1.0, longest_seconds: float = _LONGEST_SECONDS
) -> float:
    """Seconds to wait after a failure: between half and all of 1, 2, 4, … times the first pause.

    Chance spreads those that have failed together ("equal jitter", see
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Args:
        times: how often it has failed, this one included.
        first_seconds: the longest pause after the first failure.
        longest_seconds: no pause is longer.
    """
    doubled = first_seconds * 2.0 ** min(max(times, 1) - 1, 30)
    return min(doubled, longest_seconds) * random.uniform(0.5, 1.0)  # noqa: S311  no secret
