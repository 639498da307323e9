"""Replies of hosts, each with the reason that is right; and each row of the table is needed."""

import csv
import re
import time
from pathlib import Path

import pytest

from sesbounce.feedback.claims.claim import Claim
from sesbounce.feedback.claims.codes import DELAYS
from sesbounce.feedback.claims.table import CLAIMS, WORDS
from sesbounce.feedback.claims.vocabulary import VOCABULARY
from sesbounce.feedback.classify import Classified, classify_bounce, decide
from sesbounce.feedback.findings import Facts, find
from sesbounce.feedback.notification import Bounce, BouncedRecipient
from sesbounce.feedback.phrases import Phrase
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.feedback.reply import read_reply

FOLDER = Path(__file__).parents[3] / "fixtures" / "replies"
Row = dict[str, str]


def table(file: Path) -> list[Row]:
    """The rows of a table; `\\n` stands for the end of a line."""
    text = file.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
    return [row | {"diagnostic": row["diagnostic"].replace("\\n", "\n")} for row in rows]


REPLIES = [row for file in sorted(FOLDER.glob("*.tsv")) for row in table(file)]


def classified(row: Row) -> Classified:
    recipient = BouncedRecipient(
        "jane@example.com",
        action=row["action"] or None,
        status=row["status"] or None,
        diagnostic_code=row["diagnostic"] or None,
    )
    bounce = Bounce(
        [recipient],
        bounce_type=row["type"],
        bounce_sub_type=row["sub_type"],
        reporting_mta="dns; mta.example.com",
    )
    return classify_bounce(bounce, recipient)


def test_there_are_many_replies_in_many_languages() -> None:
    assert len(REPLIES) > 600
    languages = {row["note"].removeprefix("lang=")[:2] for row in REPLIES}
    western = {"en", "fr", "de", "it", "es", "pt", "pl", "nl", "cs", "tr"}
    assert languages == western | {"ja", "ru", "zh", "ko"}
    assert all(row["source"] for row in REPLIES)


@pytest.mark.parametrize("reason", Reason)
def test_replies_have_their_reason(reason: Reason) -> None:
    """One test for each reason and not for each reply: there are more than a thousand."""
    found = [(classified(row), row["diagnostic"]) for row in REPLIES if row["reason"] == reason]
    assert [wrong for wrong in found if wrong[0].reason is not reason] == []


@pytest.mark.parametrize("change", [{"action": "delayed"}, {"status": "4.0.0"}])
def test_a_delayed_recipient_and_a_status_of_class_4_are_never_hard(change: Row) -> None:
    changed = [row | change for row in REPLIES]
    assert [row for row in changed if classified(row).reason.effect is Effect.HARD] == []


def test_a_basis_is_short_and_holds_no_address() -> None:
    found = {classified(row).basis for row in REPLIES}
    assert "" not in found
    assert [basis for basis in found if len(basis) > 400] == []
    assert [basis for basis in found if "@example" in basis or "jane" in basis.lower()] == []


def test_each_row_is_needed_by_a_reply() -> None:
    """Without the row, a reply that it decides would have another reason."""
    needed: set[Claim] = set()
    for row in REPLIES:
        facts = Facts(
            row["type"],
            row["sub_type"],
            row["status"] or None,
            row["action"],
            read_reply(row["diagnostic"]),
        )
        findings = list(find(facts))
        claim = findings[0].claim
        without = [finding for finding in findings if finding.claim is not claim]
        if not without or decide(facts, without).reason is not decide(facts, findings).reason:
            needed.add(claim)
    assert [claim for claim in CLAIMS if claim not in needed] == []


def test_rows_name_their_source() -> None:
    for claim in (*CLAIMS, *DELAYS):
        assert claim.source.startswith("https://"), claim
        assert claim.host, claim
    assert len({(c.level, c.match) for c in CLAIMS}) == len(CLAIMS)


# What a reader of replies puts in the place of something else, or reads apart.
SPECIAL = {"@", "%", "dnsbl", ".", ";", "!", ":"}
JOINTS = re.compile(r" [~+-] ")


def alternatives(match: str) -> list[str]:
    inserted = re.sub(r"\{([^}]+)\}", lambda name: VOCABULARY[name[1]], match)
    return [words for part in JOINTS.split(inserted) for words in part.split("|")]


@pytest.mark.parametrize("claim", WORDS, ids=lambda claim: claim.match)
def test_phrases_are_written_as_words_are_read(claim: Claim) -> None:
    """A row with a capital letter, a hyphen or a comma in it would never match."""
    for words in alternatives(claim.match):
        if not SPECIAL & set(words.split()) and not words.isdigit():
            read = read_reply(f"550 x {words.replace('*', '')}").words
            assert Phrase(words, VOCABULARY).find(read), words


def hostile() -> list[str]:
    """Texts that make every phrase begin and none end, or every pattern of the reader repeat."""
    words = [word for claim in WORDS for word in alternatives(claim.match.replace("*", ""))]
    repeated = (
        *("@", "<", '"', ".", "-", "a.b", "1.1.1.", "550 ", "\n550 ", "http://", "a-", "a@", " : "),
        *("user ", "'s ", "your ip ", "no user ", "\\n", "存在", "受信者 ", "é", "\ufdfa"),
    )
    forward, backward = " ".join(words), " ".join(reversed(words))
    return [forward, backward, *((text * 4000)[:4000] for text in repeated)]


@pytest.mark.parametrize("text", hostile(), ids=lambda text: repr(text[:20]))
def test_no_text_takes_long(text: str) -> None:
    row = {"type": "Permanent", "sub_type": "General", "status": "5.0.0", "action": "failed"}
    for begin in range(0, len(text), 4000):
        part = text[begin : begin + 4000]
        classified(row | {"diagnostic": f"smtp; 550 {part}"})  # compiles the phrases
        begun = time.process_time()
        classified(row | {"diagnostic": f"smtp; 554 {part}"})
        assert time.process_time() - begun < 0.25


@pytest.mark.parametrize(
    ("diagnostic", "reason"),
    [
        # the first reply of several
        (
            "smtp; 550 5.5.0 Invalid recipient\n554 5.5.1 Error: no valid recipients\n"
            "421 4.7.0 Error: too many errors",
            Reason.NO_SUCH_MAILBOX,
        ),
        ("smtp; 552 5.2.2 Over quota / 550 5.1.1 User unknown", Reason.MAILBOX_FULL),
        (
            "smtp; 554-Your host is on a\n554 block list\n554 5.5.1 Error: no valid recipients",
            Reason.SENDER_BLOCKED,
        ),
        ("smtp; 550-5.1.1 Spam\n550 5.7.1 User unknown", Reason.NO_SUCH_MAILBOX),  # one reply
        ("smtp; 550 5.7.1 Spam 550 5.1.1 User unknown", Reason.NO_SUCH_MAILBOX),  # one reply
        ("smtp; 554 5.7.1 Spam. 550 5.1.1 User unknown", Reason.CONTENT_REJECTED),
        ("smtp; 554 5.0.0 host mx said: 550 5.1.1 User unknown", Reason.NO_SUCH_MAILBOX),
        (
            "smtp; 554 4.4.7 Message expired: unable to deliver in 840 minutes."
            "<452 4.2.2 Mailbox full>",
            Reason.MAILBOX_FULL,
        ),
        (
            "smtp; 5.1.0 - Unknown address error 550-'Service unavailable; Client host "
            "[192.0.2.1] blocked using zen.spamhaus.org' (delivery attempts: 0)",
            Reason.SENDER_BLOCKED,
        ),
        ("smtp; 5.1.0 - Unknown address error 550-'No such user'", Reason.NO_SUCH_MAILBOX),
        ("smtp; 550 5.1.1 No (in reply to MAIL FROM command)", Reason.NO_SUCH_MAILBOX),
        ("smtp; 550 5.1.1 No (in\treply to MAIL  FROM command)", Reason.NO_SUCH_MAILBOX),
        ("smtp; 550 5.1.1 Too many (delivery attempts: 0)", Reason.NO_SUCH_MAILBOX),
        (
            "X-Postfix; host mx.example.org[192.0.2.1] said: 554 Message refused for policy "
            "reasons (in reply to end of DATA command)",
            Reason.BLOCKED,
        ),
        (
            "smtp; SMTP error from remote mail server after RCPT TO:<jane@example.org>: "
            "552 5.2.2 Over quota",
            Reason.MAILBOX_FULL,
        ),
        # addresses, quoted senders, URLs and hosts
        ("smtp; 550 5.1.1 <over.quota@spam.example>: rejected", Reason.NO_SUCH_MAILBOX),
        ('smtp; 550 5.1.1 "Spam Sender" <a@b.example> rejected', Reason.NO_SUCH_MAILBOX),
        ('smtp; 550 5.1.1 "over quota"@b.example rejected', Reason.NO_SUCH_MAILBOX),
        ("smtp; 550 5.1.1 see https://spam.example/over-quota", Reason.NO_SUCH_MAILBOX),
        ("smtp; 550 5.1.1 see www.virus.example", Reason.NO_SUCH_MAILBOX),
        ("smtp; 550 5.1.1 mx.virus.example says no", Reason.NO_SUCH_MAILBOX),
        ("smtp; 550 &lt;full@spam.example&gt; &quot;is unknown&quot;", Reason.NO_SUCH_MAILBOX),
        ("smtp; 550 5.7.1 no a640c23a62f3a-a98c2fsi1134.7 - gsmtp", Reason.BLOCKED),
        ("smtp; 550 <jane@example.org>: We refuse mail from your network", Reason.SENDER_BLOCKED),
        ("smtp; 550 <jane@example.org>: does not exist", Reason.NO_SUCH_MAILBOX),
        # a code wherever it stands
        ("smtp; 550 no (#5.1.1)", Reason.NO_SUCH_MAILBOX),
        ("smtp; 550 #5.1.0", Reason.NO_SUCH_MAILBOX),
        ("smtp; 5.1.2 - no", Reason.DOMAIN_NOT_FOUND),
        ("smtp; 550 '5.2.2 no'", Reason.MAILBOX_FULL),
        ("smtp;5.2.2", Reason.MAILBOX_FULL),
        ("smtp; 550 no 192.5.1.1 and 5.1.1.9", Reason.PERMANENT_FAILURE),
    ],
)
def test_what_counts_in_a_diagnostic(diagnostic: str, reason: Reason) -> None:
    row = {"type": "Permanent", "sub_type": "General", "status": "5.0.0", "action": "failed"}
    assert classified(row | {"diagnostic": diagnostic}).reason is reason


def test_a_basis_names_what_it_overruled() -> None:
    row = {"type": "Transient", "sub_type": "General", "status": "5.2.1", "action": "failed"}
    assert classified(row | {"diagnostic": "smtp; 550 5.2.1 <x@y.z>... User Unknown"}) == (
        Reason.NO_SUCH_MAILBOX,
        'words "user … unknown"; overruled: status 5.2.1 (mailbox_disabled), '
        "type Transient/General (temporary_failure)",
    )
    assert classified(row | {"action": "delayed", "diagnostic": ""}) == (
        Reason.TEMPORARY_FAILURE,
        "action delayed; overruled: status 5.2.1 (mailbox_disabled)",
    )
    assert classified(row | {"diagnostic": ""}).basis == (
        "type Transient/General; overruled: status 5.2.1 (mailbox_disabled)"
    )


def test_a_long_field_of_ses_is_cut() -> None:
    row = {"type": "P" * 9000, "sub_type": "G" * 9000, "status": "5" * 9000, "action": "a" * 9000}
    assert len(classified(row | {"diagnostic": ""}).basis) < 400
