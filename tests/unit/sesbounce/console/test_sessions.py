"""When a session begins and ends, and what its cookie shows."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from sesbounce.console.sessions import IDLE, LONGEST
from sesbounce.settings import Settings
from sesbounce.store import tokens
from sesbounce.store.tokens import Scope
from tests import stored
from tests.console import SECRET, Site

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def test_a_session_ends_when_it_was_idle_for_an_hour(site: Site) -> None:
    browser = site.with_role("viewer")
    for _ in range(5):  # each request begins the hour anew
        site.now += IDLE - MINUTE
        assert browser.get("/console").status_code == 200
    site.now += IDLE + MINUTE
    assert browser.get("/console").status_code == 401


def test_a_session_ends_twelve_hours_after_its_beginning(site: Site) -> None:
    browser, begun = site.with_role("viewer"), site.now
    while site.now + HOUR / 2 < begun + LONGEST:
        site.now += HOUR / 2
        assert browser.get("/console").status_code == 200
    site.now = begun + LONGEST
    assert browser.get("/console").status_code == 401


def test_a_cookie_is_renewed_once_in_a_minute_at_most(site: Site) -> None:
    browser = site.with_role("viewer")
    assert "Set-Cookie" not in browser.get("/console").headers
    site.now += MINUTE
    assert "Set-Cookie" in browser.get("/console").headers
    assert "Set-Cookie" not in browser.get("/console").headers


def test_a_revoked_or_expired_token_ends_its_sessions_at_once(site: Site) -> None:
    browser = site.with_role("viewer")
    tokens.revoke(site.engine, ["viewer"], site.now, "ann")
    assert browser.get("/console").status_code == 401
    browser = site.browser()
    token = site.token(Scope.ADMIN, name="short", expires_in=MINUTE)
    browser.send("/console/login", token=token)
    assert browser.get("/console").status_code == 200
    site.now += MINUTE
    assert browser.get("/console").status_code == 401
    assert browser.send("/console/login", token=token).status_code == 401


def test_who_logs_out_is_logged_out_and_so_is_a_copy_of_the_cookie(site: Site) -> None:
    """Also at another process, while a second session of the person goes on."""
    browser, thief = site.logged_in(Scope.ADMIN), site.browser(site.app())
    second = site.logged_in(Scope.ADMIN, name="second")
    thief.cookies.update(browser.cookies)
    assert thief.get("/console").status_code == 200
    answer = browser.send("/console/logout")
    assert answer.headers["Location"] == "/console/login"
    assert not browser.cookies
    assert browser.get("/console").status_code == 401
    assert thief.get("/console").status_code == 401
    assert second.get("/console").status_code == 200
    # A second time, and without a session, it is no error.
    for again in (thief, browser):
        assert again.send("/console/logout").status_code == 303
    assert len(stored.table(site.engine, "feedback_ended_session")) == 1


@pytest.mark.parametrize("table", ["feedback_ended_session", "feedback_token"])
def test_who_logs_out_while_the_database_fails_leaves_no_cookie_in_the_browser(
    table: str, site: Site
) -> None:
    browser = site.logged_in(Scope.ADMIN)
    with site.engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO elsewhere"))
    answer = browser.send("/console/logout")
    # A copy of the cookie goes on: the page says that something went wrong.
    assert answer.status_code == (503 if table == "feedback_ended_session" else 303)
    assert not browser.cookies


def test_an_ended_session_is_remembered_as_long_as_its_cookie_could_be_used(site: Site) -> None:
    for name in ("first", "second"):
        site.logged_in(Scope.ADMIN, name=name).send("/console/logout")
        (row,) = stored.table(site.engine, "feedback_ended_session")
        assert row[1].startswith(f"{site.now:%Y-%m-%d %H:%M}")
        site.now += LONGEST


def test_processes_with_one_secret_share_sessions_and_links(site: Site) -> None:
    browser = site.with_role("admin")
    path = browser.path_of("jane@example.com")
    for secrets, status in (("x" * 40, 401), (f"{'x' * 40},{SECRET}", 200)):
        given = Site(site.engine, serve_secret=secrets)
        other = site.browser(given.app())
        other.cookies.update(browser.cookies)
        assert other.get(path).status_code == status
    # Without a secret, each process makes one.
    without = Site(site.engine, serve_secret="")
    first = without.logged_in(Scope.ADMIN, name="first")
    assert first.get("/console").status_code == 200
    second = without.browser()
    second.cookies.update(first.cookies)
    assert second.get("/console").status_code == 401
    without.close()


def test_a_secret_that_somebody_might_guess_is_refused() -> None:
    with pytest.raises(ValidationError, match="a key is too short"):
        Settings(serve_secret=f"{SECRET},short")  # type: ignore[arg-type]


def test_a_cookie_shows_no_token_and_no_script_or_other_site_can_use_it(site: Site) -> None:
    token = site.token(Scope.ADMIN)
    browser = site.browser()
    cookie = browser.send("/console/login", token=token).headers["Set-Cookie"]
    assert token not in cookie
    name, *parts = cookie.split("; ")
    assert name.startswith("sesbounce=")
    assert {part.lower() for part in parts} == {"httponly", "path=/", "samesite=strict"}
    elsewhere = site.browser(home="https://console.example.com")
    cookie = elsewhere.send("/console/login", token=token).headers["Set-Cookie"]
    name, *parts = cookie.split("; ")
    assert name.startswith("__Host-sesbounce=")
    assert "Secure" in parts
    assert elsewhere.get("/console").status_code == 200


def test_a_cookie_that_was_made_up_or_changed_is_none(site: Site) -> None:
    browser = site.with_role("admin")
    (value,) = browser.cookies.values()
    link = browser.path_of("jane@example.com").rpartition("/")[2]
    changed = value[:50] + ("A" if value[50] != "A" else "B") + value[51:]
    for wrong in ("", "x", "=", changed, value[:-4], link, "ä"):
        stranger = site.browser()
        answer = stranger.get("/console", headers={"Cookie": f"sesbounce={wrong}".encode()})
        assert answer.status_code == 401
    # A session is no link either.
    assert browser.get(f"/console/address/{value}").status_code == 404


def test_after_the_login_a_person_is_where_the_login_was_asked_for(site: Site) -> None:
    path = site.with_role("admin").path_of("jane@example.com")
    browser = site.browser()
    assert f'name="goal" value="{path}"' in browser.get(path).text
    answer = browser.send("/console/login", token=site.token(Scope.ADMIN), goal=path)
    assert answer.headers["Location"] == path
    assert browser.get("/console/login").headers["Location"] == "/console"


@pytest.mark.parametrize(
    "goal",
    ["//evil.example", "https://evil.example/console", "/console/../v1", "/console\r\nX: y", "/v1"],
)
def test_a_login_leads_to_no_other_site(site: Site, goal: str) -> None:
    browser, token = site.browser(), site.token(Scope.ADMIN)
    assert browser.send("/console/login", token=token, goal=goal).headers["Location"] == "/console"


@pytest.mark.parametrize("token", ["", "x", "sesbounce_" + "x" * 43, "\0", "ü" * 53])
def test_a_wrong_token_begins_no_session(site: Site, token: str) -> None:
    site.token(Scope.ADMIN)
    browser = site.browser()
    answer = browser.send("/console/login", token=token)
    assert answer.status_code == 401
    assert "This token is not valid" in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert not browser.cookies
