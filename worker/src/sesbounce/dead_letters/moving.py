"""Has SQS itself move all dead letters back to the queue from which they came."""

from sesbounce.aws.dead_letters import MOST_MOVED_A_SECOND, DeadLetterQueue
from sesbounce.dead_letters.stopping import Stop
from sesbounce.dead_letters.working import Progress
from sesbounce.errors import QueueError

_LOOK_SECONDS = 1.0
# How SQS says that a queue is the dead-letter queue of no other queue, but of a topic.
_REFUSALS = {
    "AWS.SimpleQueueService.UnsupportedOperation",
    "InvalidParameterValue",
    "InvalidParameterValueException",
    "ResourceNotFoundException",
    "UnsupportedOperation",
}


def move_all(
    queue: DeadLetterQueue, rate: int | None, stop: Stop, progress: Progress
) -> str | None:
    """Move all letters, and wait until that is done.

    Args:
        queue: the dead-letter queue.
        rate: how many letters to move in a second at most.
        stop: whether to stop; then the task is cancelled.
        progress: takes how many letters are moved.

    Returns:
        None; or why SQS does not move the letters of this queue, or not all of them: the origin of
        a letter that somebody has sent there is not known.

    Raises:
        QueueError: another task runs, somebody has cancelled it, or SQS rejects a call.
        StoppedError: a signal has stopped it; what is moved stays moved.
    """
    arn = queue.facts().arn
    try:
        _demand_no_task(queue, arn)
        queue.start_move(arn, rate and min(rate, MOST_MOVED_A_SECOND))
    except QueueError as error:
        if error.code in _REFUSALS:
            return str(error)
        raise
    with stop.deferring():
        return _wait(queue, arn, stop, progress)


def _wait(queue: DeadLetterQueue, arn: str, stop: Stop, progress: Progress) -> str | None:
    """Wait until the task has ended, and say why it has failed; after a signal, cancel it."""
    while task := queue.move_task(arn):
        progress.acted = progress.done = task.moved
        if not task.active:
            if task.status == "CANCELLED":
                raise QueueError("somebody has cancelled SQS's move task")
            return None if task.status == "COMPLETED" else f"its move task failed: {task.failure}"
        if stop.is_set and task.handle:
            queue.cancel_move(task.handle)
            stop.demand_to_go_on()
        stop.wait(_LOOK_SECONDS)
    return None


def _demand_no_task(queue: DeadLetterQueue, arn: str) -> None:
    task = queue.move_task(arn)
    if task and task.active:
        raise QueueError(
            f"SQS is moving messages from {queue.name} already, and runs one task for each queue: "
            "wait until it ends, or cancel it: aws sqs cancel-message-move-task --task-handle "
            f"{task.handle}",
            lasting=True,
        )
