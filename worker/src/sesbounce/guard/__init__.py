"""Asks before each mail, in the code that sends: suppressed recipients get none.

from sesbounce import guard

ses = guard.protect(boto3.client("sesv2"), on_error="refuse")
ses.send_email(…)  # raises guard.Suppressed if nobody is left

It asks the database, or the HTTP API. This module loads neither boto3 nor a framework, and no
database before the first mail.
`sesbounce.guard.django`, `.anymail` and `.flask_mailman` are loaded by those who use them.
"""

from sesbounce.errors import SendingStopped, Suppressed
from sesbounce.guard.asking import Answer, Answers, Guard, Options
from sesbounce.guard.breaker import AsksSending, Sending
from sesbounce.guard.over_smtp import smtp
from sesbounce.guard.ses import protect

__all__ = [
    "Answer",
    "Answers",
    "AsksSending",
    "Guard",
    "Options",
    "Sending",
    "SendingStopped",
    "Suppressed",
    "protect",
    "smtp",
]
