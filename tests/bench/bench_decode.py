"""How fast messages are decoded, next to what one would otherwise write.

`python -m tests.bench.bench_decode` prints one table for each message. What is compared:

* sesbounce, all of it: from the body to the classified, keyed events,
* sesbounce up to the typed message, which is as far as the others go,
* pydantic models of the same fields, and models of all fields,
* Powertools for AWS Lambda: its SNS model, as its `SnsSqsEnvelope` uses it, around the same
  pydantic models, and its data classes, which validate nothing. Its own SES models are of mail
  that SES *receives* for a Lambda function; it has none of bounces, complaints or deliveries.
* `json.loads` of both layers and dict access to the fields that matter: the floor without any
  check.

How it is measured: one process on one core; every round gives each decoder the same bodies, in
an order that moves on, and starts with an empty garbage collector, which then runs as it does
in a worker. A ratio is the median of the rounds' own ratios, so that a machine that slows down
halfway slows down both sides. Nothing is asserted: what is fast is for the reader to judge.
"""

import argparse
import base64
import gc
import hashlib
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable
from datetime import timedelta
from time import perf_counter_ns
from typing import Any, NamedTuple, cast

from aws_lambda_powertools.utilities.data_classes import SQSEvent
from aws_lambda_powertools.utilities.parser.models import SnsNotificationModel
from rich.console import Console
from rich.table import Table

from scripts.local.ses_messages import Scenario, Schema
from sesbounce.feedback.decode import decode
from sesbounce.feedback.envelope import open_envelope
from sesbounce.feedback.notification import Notification
from sesbounce.feedback.reading import decode_notification
from tests.bench import models
from tests.support import AT, in_sns, mail, said

BODIES = 200


class Decoder(NamedTuple):
    """One contestant."""

    name: str
    checks: bool
    decode: Callable[[str], Any]


def typed(body: str) -> Notification:
    return decode_notification(open_envelope(body).content)


def pydantic_models(body: str) -> models.Ses:
    return models.Ses.model_validate_json(models.Sns.model_validate_json(body).message)


def pydantic_whole(body: str) -> models.WholeSes:
    return models.WholeSes.model_validate_json(models.Sns.model_validate_json(body).message)


def powertools_models(body: str) -> models.Ses:
    message = cast("str", SnsNotificationModel.model_validate_json(body).Message)
    return models.Ses.model_validate_json(message)


def powertools_classes(body: str) -> tuple[Any, ...]:
    (record,) = SQSEvent({"Records": [{"body": body}]}).records
    return fields(json.loads(record.decoded_nested_sns_event.message))


def bare_json(body: str) -> tuple[Any, ...]:
    return fields(json.loads(json.loads(body)["Message"]))


def fields(message: dict[str, Any]) -> tuple[Any, ...]:
    """What a handler takes out of the dicts."""
    kind = message.get("notificationType") or message["eventType"]
    about = message["mail"]
    head = (kind, about["messageId"], about["source"])
    if kind == "Bounce":
        bounce = message["bounce"]
        return (
            *head,
            bounce["bounceType"],
            bounce["bounceSubType"],
            bounce["timestamp"],
            bounce["feedbackId"],
            [
                (r["emailAddress"], r.get("status"), r.get("action"), r.get("diagnosticCode"))
                for r in bounce["bouncedRecipients"]
            ],
        )
    delivery = message["delivery"]
    return (*head, delivery["timestamp"], delivery["smtpResponse"], delivery["recipients"])


DECODERS = (
    Decoder("sesbounce, all of it", checks=True, decode=decode),
    Decoder("sesbounce, typed message", checks=True, decode=typed),
    Decoder("pydantic, same fields", checks=True, decode=pydantic_models),
    Decoder("pydantic, every field", checks=True, decode=pydantic_whole),
    Decoder("Powertools + pydantic", checks=True, decode=powertools_models),
    Decoder("Powertools data classes", checks=False, decode=powertools_classes),
    Decoder("json.loads and dicts", checks=False, decode=bare_json),
)
# The columns that say how many times as fast as these a decoder is.
BASES = {
    "x pydantic": "pydantic, same fields",
    "x Powertools": "Powertools + pydantic",
    "x json": "json.loads and dicts",
}


class Messages(NamedTuple):
    """What one table is about."""

    name: str
    scenario: Scenario
    schema: Schema
    headers: bool


MESSAGES = (
    Messages("A bounce notification with headers", Scenario.BOUNCE, "notification", headers=True),
    Messages("A delivery event with headers", Scenario.SUCCESS, "event", headers=True),
    Messages("A bounce notification, few headers", Scenario.BOUNCE, "notification", headers=False),
)


def with_headers(message: dict[str, Any], number: int) -> dict[str, Any]:
    """The message with the headers of an ordinary mailing, and not only those of a test mail."""
    signature = base64.b64encode(hashlib.sha512(bytes([number])).digest() * 4).decode()
    more = {
        "Date": "Fri, 20 Nov 2026 12:00:00 +0000",
        "Message-ID": f"<{number}.1795176000@example.com>",
        "Reply-To": "support@example.com",
        "List-Unsubscribe": f"<https://example.com/unsubscribe?{signature[:64]}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "DKIM-Signature": "v=1; a=rsa-sha256; q=dns/txt; c=relaxed/simple; s=s1; d=example.com; "
        f"t=1795176000; h=From:To:Subject:MIME-Version:Content-Type:Date; b={signature}",
    }
    message["mail"]["headers"] += [{"name": k, "value": v} for k, v in more.items()]
    return message


def bodies(kind: Messages) -> list[str]:
    """Messages that differ in whom they are about, so that no cache makes them one."""
    return [in_real_sns(message_of(kind, number)) for number in range(BODIES)]


def message_of(kind: Messages, number: int) -> dict[str, Any]:
    digest = hashlib.sha256(bytes([number])).hexdigest()
    message_id = f"0100{digest[:12]}-{digest[12:20]}-4a5f-9d31-{digest[20:32]}-000000"
    about = mail(f"jane.doe.{number}@example.com", message_id)
    at = AT + timedelta(milliseconds=number)
    message = said(kind.scenario, about, kind.schema, at)
    return with_headers(message, number) if kind.headers else message


def in_real_sns(message: dict[str, Any]) -> str:
    """The SNS envelope with a signature and addresses of the usual length."""
    region = "https://sns.us-east-1.amazonaws.com"
    topic = "arn:aws:sns:us-east-1:000000000000:sesbounce-feedback"
    subscription = f"{topic}:5f1c8a2e-6f0d-4f0c-9a0c-2f6d3f1f7a11"
    return in_sns(
        message,
        Signature=base64.b64encode(bytes(range(256))).decode(),
        SigningCertURL=f"{region}/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem",
        UnsubscribeURL=f"{region}/?Action=Unsubscribe&SubscriptionArn={subscription}",
    )


def sample(decoder: Decoder, messages: list[str]) -> float:
    """Microseconds a message, over one pass."""
    run = decoder.decode
    gc.collect()
    begun = perf_counter_ns()
    for message in messages:
        run(message)
    return (perf_counter_ns() - begun) / 1000 / len(messages)


def measure(messages: list[str], rounds: int) -> dict[str, list[float]]:
    """All samples of each decoder."""
    samples: dict[str, list[float]] = {decoder.name: [] for decoder in DECODERS}
    for number in range(rounds):
        first = number % len(DECODERS)
        for decoder in (*DECODERS[first:], *DECODERS[:first]):
            samples[decoder.name].append(sample(decoder, messages))
    return samples


def ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """How many messages one decodes while the other decodes one."""
    return statistics.median(b / a for a, b in zip(ours, theirs, strict=True))


def table_of(title: str, samples: dict[str, list[float]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("decoder", no_wrap=True)
    table.add_column("checks")
    for column in ("messages/s", "µs median", "µs best", *BASES):
        table.add_column(column, justify="right")
    for decoder in DECODERS:
        own = samples[decoder.name]
        median = statistics.median(own)
        ratios = (f"{ratio(own, samples[base]):.2f}" for base in BASES.values())
        numbers = (f"{1e6 / median:,.0f}", f"{median:.1f}", f"{min(own):.1f}", *ratios)
        table.add_row(decoder.name, "yes" if decoder.checks else "no", *numbers)
    return table


def on_one_core() -> None:
    """Stay on one core, where the system can be told so."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the decoder against others.")
    parser.add_argument("--rounds", type=int, default=60, help="passes of each decoder (60)")
    parser.add_argument("--no-gc", action="store_true", help="leave the garbage collector off")
    arguments = parser.parse_args()
    on_one_core()
    if arguments.no_gc:
        gc.disable()
    console = Console(width=120)
    console.print(
        f"Python {platform.python_version()} on {platform.machine()}, one core, "
        f"{arguments.rounds} rounds of {BODIES} messages a decoder, "
        f"garbage collector {'off' if arguments.no_gc else 'on'}."
    )
    for messages_of in MESSAGES:
        messages = bodies(messages_of)
        size = statistics.mean(len(message.encode()) for message in messages)
        title = f"{messages_of.name}, {size:,.0f} bytes"
        console.print()
        console.print(table_of(title, measure(messages, arguments.rounds)))


if __name__ == "__main__":
    main()
