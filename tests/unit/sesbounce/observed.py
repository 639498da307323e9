"""What tests need to observe a worker without running one."""

from sesbounce.settings import Settings

QUEUE_URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/feedback"


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = 5000.0

    def __call__(self) -> float:
        return self.time


def settings(**more: object) -> Settings:
    return Settings.model_validate({"queue_url": QUEUE_URL, "wait_seconds": 20, **more})
