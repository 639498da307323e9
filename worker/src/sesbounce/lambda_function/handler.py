"""The entry point in AWS Lambda: `sesbounce.lambda_function.handler.handler`.

An execution environment imports this module once, when it starts; the first invocation opens the
database, and the environment keeps it open.
"""

from typing import Any

from sesbounce.lambda_function.function import Context, Function

_function = Function()


def handler(event: Any, context: Context) -> dict[str, Any]:
    """Record the messages of an event of SQS; sweep for `{"sesbounce": "sweep"}`.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    Returns:
        The messages that SQS has to keep: `{"batchItemFailures": [{"itemIdentifier": ID}, …]}`.

    Raises:
        SesBounceError: nothing was done, and SQS keeps all messages.
    """
    return _function.invoke(event, context)
