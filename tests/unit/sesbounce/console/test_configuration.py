"""The settings of the server, and that no page shows a secret."""

import json
import re
from typing import get_args

import sqlalchemy as sa
from pydantic import SecretStr

from scripts.local.ses_messages import Scenario
from sesbounce.console.pages import PAGES
from sesbounce.settings import Settings
from sesbounce.store.tokens import Scope
from tests.console import Site
from tests.stored import STRIKE_OFF, decoded
from tests.unit.sesbounce.console.test_address import text_of

MARKER = "this-must-never-be-on-a-page"
# A value of each secret setting that its check accepts.
SECRETS = {
    "database_url": f"postgresql://me:{MARKER}@db.example/mail",
    "database_password": MARKER,
    "strike_off_database_url": f"postgresql://me:{MARKER}@other.example/mail",
    "webhook_url": f"https://one.example/{MARKER}",
    "webhook_secret": MARKER,
    "webhooks": json.dumps({"crm": {"url": f"https://crm.example/?token={MARKER}"}}),
    "webhook_secrets": json.dumps({"crm": MARKER}),
    "serve_secret": f"{MARKER}-of-the-server",
    "hash_key": f"{MARKER}-of-the-hash",
}


def test_each_setting_is_shown_with_its_value_and_its_origin(engine: sa.Engine) -> None:
    site = Site(engine, strikes=5, topic_arns="arn:a,arn:b", serve_console=True)
    html = site.with_role("admin").get("/console/settings").text
    page = text_of(html)
    shown = re.findall(r'<th scope="row"><code>SESBOUNCE_(\w+)</code>', html)
    assert shown == [name.upper() for name in Settings.model_fields]
    assert re.search(r"SESBOUNCE_STRIKES [^<]{20,} 5 set", page)
    assert re.search(r"SESBOUNCE_PROBATION_DAYS number of [^<]* 14 default", page)
    assert re.search(r"SESBOUNCE_TOPIC_ARNS [^<]* arn:a,arn:b set", page)
    assert re.search(r"SESBOUNCE_SERVE_CONSOLE [^<]* true set", page)
    assert re.search(r"SESBOUNCE_QUEUE_URL [^<]* empty default", page)
    assert re.search(r"SESBOUNCE_SERVE_SECRET [^<]* secret set", page)
    assert re.search(r"SESBOUNCE_HASH_KEY [^<]* secret default", page)
    site.close()


def test_an_option_of_the_command_is_shown_beside_what_it_sets(site: Site) -> None:
    app = site.app(options={"serve_console": "--console"}, serve_console=True)
    page = text_of(site.logged_in(Scope.ADMIN, app=app).get("/console/settings").text)
    assert re.search(r"SESBOUNCE_SERVE_CONSOLE [^<]* true option --console SESBOUNCE_", page)
    assert page.count("--console") == 1


def test_the_table_of_secrets_names_each_of_them() -> None:
    def holds_secrets(annotation: object) -> bool:
        return annotation is SecretStr or any(map(holds_secrets, get_args(annotation)))

    secret = [n for n, field in Settings.model_fields.items() if holds_secrets(field.annotation)]
    assert sorted(SECRETS) == sorted(secret)


def test_no_page_shows_a_secret(engine: sa.Engine) -> None:
    site = Site(engine, **{**SECRETS, "strike_off_sql": STRIKE_OFF})
    site.record(decoded(Scenario.BOUNCE))
    browser = site.with_role("admin")
    handle = browser.path_of("jane@example.com").rpartition("/")[2]
    paths = [page.path.format(handle=handle, number=1) for page in PAGES if page.method == "GET"]
    for path in paths:
        answer = browser.get(path)
        # Some pages are about a list or an incident, which this site has not.
        assert answer.status_code in {200, 303, 404}, path
        assert MARKER not in answer.text, path
    site.close()
