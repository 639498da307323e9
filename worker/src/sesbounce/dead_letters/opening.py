"""Finds the dead-letter queues that the settings lead to, and reads letters as the worker does."""

from collections.abc import Callable
from functools import partial

from botocore.config import Config

from sesbounce.aws.dead_letter_queues import main_dead_letter_queue, subscription_dead_letter_queue
from sesbounce.aws.queue_calls import CONFIG
from sesbounce.aws.sns_trust import Trust
from sesbounce.dead_letters.grouping import Which
from sesbounce.errors import MessageError
from sesbounce.feedback.decode import Decoded, decode_all
from sesbounce.settings import Settings


def dead_letter_queue_url(which: Which, settings: Settings, config: Config = CONFIG) -> str:
    """The URL of a dead-letter queue.

    Args:
        which: `main` for the letters that the worker could not handle, `subscription` for those
            that SNS could not deliver.
        settings: name the queue.
        config: how the clients call, and how often they retry.

    Raises:
        ConfigurationError: a setting is missing or wrong.
        QueueError: there is no such queue, or AWS does not answer.
    """
    if which == "main":
        return main_dead_letter_queue(settings.queue, config)
    return subscription_dead_letter_queue(settings.queue, settings.topic_arns, config)


def trust(settings: Settings) -> Trust:
    """Verifies letters by the rules of the worker."""
    return Trust(settings.topic_arns, signatures=settings.verify_signatures)


def decoder(settings: Settings) -> Callable[..., list[Decoded | MessageError]]:
    """Decodes bodies as the worker does."""
    return partial(decode_all, tags=tuple(settings.tags), stream_by=settings.streams)
