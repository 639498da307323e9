"""docs/recipes.md: the code of the page runs against a real server, and faults let nothing pass."""

import http.server
import json
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from email.utils import formataddr, parseaddr
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import debian
from tests.acceptance.test_serve import Serving
from tests.ports import LOOPBACK, free_port

PAGE = (Path(__file__).parents[2] / "docs/recipes.md").read_text("utf-8")
DRIVERS = Path(__file__).parent / "recipes"

JANE, MARY, JOHN = "jane@example.com", "mary@example.com", "john@example.com"
"""Jane is suppressed."""

Case = dict[str, Any]
Result = dict[str, Any]


class Language(NamedTuple):
    """How to run a recipe.

    Attributes:
        section: its heading in the page.
        files: by the name of a file, the first words of its block in the page.
        command: the program, and the driver that sends mails.
        packages: those of Debian that it needs.
        no_address: a text that the library takes for an address; None where it takes none.
        has_bcc: whether a sent mail shows its header Bcc to the driver.
    """

    section: str
    files: Mapping[str, str]
    command: tuple[str, ...]
    packages: tuple[str, ...]
    no_address: str | None
    has_bcc: bool = True


LANGUAGES = {
    "laravel": Language(
        "Laravel",
        {
            "DropRefusedRecipients.php": "<?php // app/Listeners/DropRefusedRecipients.php",
            "Suppressed.php": "<?php // app/Exceptions/Suppressed.php",
        },
        ("php", "-d", "error_reporting=E_ALL&~E_DEPRECATED", str(DRIVERS / "laravel.php")),
        (
            "php-cli",
            "php-curl",
            "php-email-validator",
            "php-guzzlehttp-guzzle",
            "php-illuminate-config",
            "php-illuminate-events",
            "php-illuminate-http",
            "php-illuminate-mail",
        ),
        no_address=None,
    ),
    "rails": Language(
        "Rails",
        {"drop_refused_recipients.rb": "# lib/drop_refused_recipients.rb"},
        ("ruby", str(DRIVERS / "rails.rb")),
        ("ruby-actionmailer",),
        no_address="no@address@example.com",
    ),
    "node": Language(
        "Node",
        {"drop-refused-recipients.mjs": "// drop-refused-recipients.mjs"},
        ("env", "NODE_PATH=/usr/share/nodejs", "node", str(DRIVERS / "node.mjs")),
        ("nodejs", "node-nodemailer"),
        no_address="postmaster",
        has_bcc=False,
    ),
}


def code_of(section: str, begin: str) -> str:
    """A block of code under a heading, by the line with which it begins."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(begin)]
    return str(block)


def yes(*addresses: str) -> dict[str, Any]:
    return {"answers": [{"given": address, "may_mail": True} for address in addresses]}


TWO = [MARY, JOHN]
NOT_JSON = b"<html>Log in</html>"

FAULTS: dict[str, tuple[int, bytes]] = {
    "nobody listens": (0, b""),
    "too late": (0, b""),
    "no answer": (0, b""),
    "cut off": (200, json.dumps(yes(*TWO)).encode()[:-20]),
    "401": (401, json.dumps(yes(*TWO)).encode()),
    "404": (404, NOT_JSON),
    "404 in JSON": (404, json.dumps(yes(*TWO)).encode()),
    "429": (429, json.dumps(yes(*TWO)).encode()),
    "500": (500, json.dumps(yes(*TWO)).encode()),
    "503": (503, b'{"title": "Service Unavailable", "status": 503}'),
    "201": (201, json.dumps(yes(*TWO)).encode()),
    "204": (204, b""),
    "elsewhere": (302, b""),
    "a page": (200, NOT_JSON),
    "nothing": (200, b""),
    "null": (200, b"null"),
    "a list": (200, b"[]"),
    "a text": (200, b'"true"'),
    "true": (200, b"true"),
    "null for the answers": (200, b'{"answers": null}'),
    "true for the answers": (200, b'{"answers": true}'),
    "no answers": (200, b'{"answers": []}'),
    "texts for answers": (200, b'{"answers": ["mary@example.com", "john@example.com"]}'),
    "nulls for answers": (200, b'{"answers": [null, null]}'),
    "too few answers": (200, json.dumps(yes(MARY)).encode()),
    "too many answers": (200, json.dumps(yes(*TWO, JANE)).encode()),
    "another address": (200, json.dumps(yes(MARY, JANE)).encode()),
    "another order": (200, json.dumps(yes(JOHN, MARY)).encode()),
}
"""Status and body of answers that say nothing about Mary and John."""

NO_YES = (None, "true", 1, "yes", [True])
"""What is not `true`, and so is no yes."""


class Faulty(http.server.BaseHTTPRequestHandler):
    """Answers with the fault, or with the word for may_mail, whose number is in the path."""

    protocol_version = "HTTP/1.1"
    closing = threading.Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        _, kind, number, *_ = self.path.split("/")
        if kind == "word":
            answers = [{"given": MARY, "may_mail": NO_YES[int(number)]}, {"given": JOHN}]
            self._send(200, json.dumps({"answers": answers}).encode())
            return
        name = list(FAULTS)[int(number)]
        if name == "too late":
            self.closing.wait(30)
        elif name == "no answer":
            self.close_connection = True
        else:
            self._send(*FAULTS[name], cut=20 if name == "cut off" else 0)

    def do_GET(self) -> None:
        """What a redirected request finds is no answer to the question."""
        self._send(200, json.dumps(yes(*TWO)).encode())

    def _send(self, status: int, body: bytes, cut: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + cut))
        if status == 302:
            self.send_header("Location", f"{self.path}/elsewhere")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = bool(cut)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def faulty() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), Faulty)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://{LOOPBACK}:{server.server_port}"
    Faulty.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    started = Serving(tmp_path_factory.mktemp("serving"))
    yield started
    started.process.terminate()
    started.process.wait()


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Language:
    found = LANGUAGES[request.param]
    debian.demand(f"the recipe for {found.section}", *found.packages)
    return found


SUPPRESSED: list[Case] = [
    {"to": [MARY], "cc": [JOHN]},
    {"to": [f"Jane <{JANE}>", f"Mary <{MARY}>"], "cc": [JOHN]},
    {"to": [MARY], "cc": ["JANE@Example.com", JOHN]},
    {"to": [MARY], "bcc": [JANE, JOHN]},
    {"to": [JANE], "bcc": [JOHN]},
    {"to": [MARY], "cc": [JANE], "bcc": [JANE]},
    {"to": [JANE, MARY], "on_error": "send"},
    {"to": [JANE], "cc": [JANE], "bcc": ["Jane@example.com"]},
]


def faults(language: Language, serving: Serving, faulty: str) -> dict[str, Case]:
    """Mails about which the server that is asked says nothing."""
    two: Case = {"to": [MARY], "bcc": [JOHN]}
    cases = {
        name: two | {"url": f"{faulty}/fault/{number}", "seconds": 1 if name == "too late" else 30}
        for number, name in enumerate(FAULTS)
    }
    cases["nobody listens"]["url"] = f"http://{LOOPBACK}:{free_port()}"
    cases["a wrong path"] = two | {"url": f"{serving.url}/wrong"}
    cases["a wrong token"] = two | {"token": "wrong"}
    return cases


@pytest.fixture(scope="module")
def results(
    language: Language, serving: Serving, faulty: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Result]]:
    """What became of all mails, by the test: one process sends them, as its start takes longest."""
    unanswered = list(faults(language, serving, faulty).values())
    words = [{"url": f"{faulty}/word/{number}", "to": TWO} for number in range(len(NO_YES))]
    odd = {"to": [language.no_address], "cc": [JOHN]}
    cases: dict[str, list[Case]] = {
        "suppressed": SUPPRESSED,
        "unanswered": unanswered,
        "switched": [case | {"on_error": "send"} for case in unanswered],
        "words": [*words, *(case | {"on_error": "send"} for case in words)],
        "odd": [odd] if language.no_address else [],
    }
    token = serving.headers["Authorization"].removeprefix("Bearer ")
    usual: Case = {"url": serving.url, "token": token, "on_error": None, "seconds": 30}
    usual |= {"to": [], "cc": [], "bcc": []}
    folder = tmp_path_factory.mktemp("recipe")
    for name, begin in language.files.items():
        (folder / name).write_text(code_of(language.section, begin), encoding="utf-8")
    done = subprocess.run(
        [*language.command, *(str(folder / name) for name in language.files)],
        input=json.dumps([usual | case for each in cases.values() for case in each]),
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found = iter([result(one) for one in json.loads(done.stdout)])
    sorted_ = {name: [next(found) for _ in each] for name, each in cases.items()}
    assert not list(found)
    return sorted_


def result(one: Result) -> Result:
    """A result with one spelling for `"Mary" <mary@example.com>` and `Mary <mary@example.com>`."""
    lists = {name: one[name] for name in ("to", "cc", "bcc") if one.get(name)}
    return one | {name: [formataddr(parseaddr(a)) for a in each] for name, each in lists.items()}


def sent(language: Language, **lists: list[str]) -> Result:
    """The result of a mail that went to these."""
    filled = {"to": lists.get("to", []), "cc": lists.get("cc", []), "bcc": lists.get("bcc", [])}
    envelope = [parseaddr(one)[1] for each in filled.values() for one in each]
    headers = filled | ({} if language.has_bcc else {"bcc": None})
    return {**headers, "envelope": envelope, "log": []}


def test_the_suppressed_get_no_mail(language: Language, results: dict[str, list[Result]]) -> None:
    *went, last = results["suppressed"]
    assert went == [
        sent(language, to=[MARY], cc=[JOHN]),
        sent(language, to=[f"Mary <{MARY}>"], cc=[JOHN]),
        sent(language, to=[MARY], cc=[JOHN]),
        sent(language, to=[MARY], bcc=[JOHN]),
        sent(language, bcc=[JOHN]),
        sent(language, to=[MARY]),
        sent(language, to=[MARY]),
    ]
    why = "suppressed by hand, 2026-11-20"
    refused = {JANE: why, "Jane@example.com": why}
    assert last == {"error": "Suppressed", "refused": refused, "log": []}


def test_no_fault_lets_a_mail_pass(
    language: Language, results: dict[str, list[Result]], serving: Serving, faulty: str
) -> None:
    names = list(faults(language, serving, faulty))
    refused = dict(zip(names, results["unanswered"], strict=True))
    assert [name for name, one in refused.items() if not one.get("error")] == []
    assert [name for name, one in refused.items() if one["error"] == "Suppressed"] == []
    # The one switch lets each of them pass, and the log says so.
    for name, one in zip(names, results["switched"], strict=True):
        (line,) = one["log"]
        assert line.endswith(": a mail goes out unchecked"), name
        assert "@" not in line, name
        assert one | {"log": []} == sent(language, to=[MARY], bcc=[JOHN]), name


def test_only_true_is_a_yes(results: dict[str, list[Result]]) -> None:
    assert len(results["words"]) == 2 * len(NO_YES)
    assert {one.get("error") for one in results["words"]} == {"Suppressed"}


def test_what_is_no_address_gets_no_mail(
    language: Language, results: dict[str, list[Result]]
) -> None:
    # Symfony itself rejects what is no address.
    expected = [sent(language, cc=[JOHN])] if language.no_address else []
    assert results["odd"] == expected
