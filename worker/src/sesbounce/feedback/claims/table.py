"""The table of claims: what each piece of evidence says about a bounce.

One row is one claim. The first row of a level that matches counts; the order of the levels is
that of `Level`.
"""

from sesbounce.feedback.claims.about_message import MESSAGE, NOBODY, VAGUE
from sesbounce.feedback.claims.about_recipient import RECIPIENT
from sesbounce.feedback.claims.about_sender import SENDER_NAMED, SENDER_NOT_WELCOME
from sesbounce.feedback.claims.by_ses import BY_SES
from sesbounce.feedback.claims.claim import Claim
from sesbounce.feedback.claims.codes import CODES
from sesbounce.feedback.claims.eastern import CHINESE, JAPANESE, KOREAN, RUSSIAN
from sesbounce.feedback.claims.western import (
    CZECH,
    DUTCH,
    FRENCH,
    GERMAN,
    ITALIAN,
    POLISH,
    PORTUGUESE,
    SOME_LANGUAGES,
    SPANISH,
    TURKISH,
)

# The rows that rest on words, in the order in which they are compared: about the recipient, about
# the sender, about the message.
WORDS: tuple[Claim, ...] = (
    *BY_SES,
    *SENDER_NAMED,
    *RECIPIENT,
    *SENDER_NOT_WELCOME,
    *SOME_LANGUAGES,
    *FRENCH,
    *GERMAN,
    *ITALIAN,
    *SPANISH,
    *PORTUGUESE,
    *JAPANESE,
    *RUSSIAN,
    *POLISH,
    *CHINESE,
    *DUTCH,
    *CZECH,
    *TURKISH,
    *KOREAN,
    *MESSAGE,
    *NOBODY,
    *VAGUE,
)
CLAIMS: tuple[Claim, ...] = (*WORDS, *CODES)
