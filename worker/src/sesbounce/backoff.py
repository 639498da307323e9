"""The pause before a retry: it doubles with each failure, and chance spreads the retries."""

import random

# SQS hides a message for at most 12 hours; a retry should come much earlier.
_LONGEST_SECONDS = 900.0


def pause(
    times: int, first_seconds: float = 1.0, longest_seconds: float = _LONGEST_SECONDS
) -> float:
    """Seconds to wait after a failure: between half and all of 1, 2, 4, … times the first pause.

    Operations that failed at the same moment are retried at different moments ("equal jitter",
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Args:
        times: the number of failures in a row, the last one included.
        first_seconds: the longest pause after the first failure.
        longest_seconds: the longest pause after any failure.
    """
    doubled = first_seconds * 2.0 ** min(max(times, 1) - 1, 30)
    return min(doubled, longest_seconds) * random.uniform(0.5, 1.0)  # noqa: S311  no secret
