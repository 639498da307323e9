"""The table of claims: what each piece of evidence says about a bounce.

One row is one claim. The first row of a level that matches counts; the order of the levels is
that of `Level`.
"""

from sesbounce.feedback.claims.claim import Claim
from sesbounce.feedback.claims.codes import (
    ACTIONS,
    MESSAGES,
    REPLY_CODES,
    STATUSES,
    SUB_TYPES,
    SUBJECTS,
    TYPES,
)
from sesbounce.feedback.claims.languages import OTHER_LANGUAGES
from sesbounce.feedback.claims.words import BY_SES, ENGLISH, VAGUE

# The rows that rest on words, in the order in which they are compared.
WORDS: tuple[Claim, ...] = (*BY_SES, *ENGLISH, *OTHER_LANGUAGES, *VAGUE)
# All other rows.
CODES: tuple[Claim, ...] = (
    *ACTIONS,
    *STATUSES,
    *MESSAGES,
    *REPLY_CODES,
    *SUBJECTS,
    *SUB_TYPES,
    *TYPES,
)
CLAIMS: tuple[Claim, ...] = (*WORDS, *CODES)
