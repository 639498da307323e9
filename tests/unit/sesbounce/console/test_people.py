"""People whom a load balancer has authenticated need no token and no session."""

from http import HTTPStatus

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.console.roles import ROLES
from sesbounce.feedback.reason import Reason
from sesbounce.server.access import Caller, unauthorized
from sesbounce.server.problems import RequestError
from sesbounce.store import schema
from tests.console import Browser, Site
from tests.stored import decoded

HEADER = "x-amzn-oidc-data"
ANN = "ann@example.com"


class Balancer:
    """Says that a person has the role that the header names."""

    def identify(self, data: str, /) -> Caller:
        match data:
            case "wrong":
                raise unauthorized("the header is not valid")
            case "unverified":
                raise RequestError(
                    HTTPStatus.SERVICE_UNAVAILABLE, "no key", headers={"Retry-After": "5"}
                )
        return Caller(id="person:12", name=ANN, scopes=ROLES[data], is_person=True)


def browser_of(site: Site, data: str) -> Browser:
    return site.browser(site.app(persons=Balancer()), **{HEADER: data})


def test_a_person_decides_without_logging_in(site: Site) -> None:
    site.record(decoded(Scenario.BOUNCE))
    browser = browser_of(site, "support")
    page = browser.look_up("jane@example.com")
    assert ANN in page.text
    assert "/console/logout" not in page.text
    path = browser.path_of("jane@example.com")
    done = browser.follow(browser.send(f"{path}/allow", note="asked by phone"))
    assert "may be mailed" in done.text
    query = sa.select(schema.event.c.source).where(schema.event.c.reason == Reason.ALLOWED_BY_HAND)
    with site.engine.connect() as connection:
        assert connection.scalars(query).all() == [ANN]


def test_a_person_may_do_what_the_scopes_say(site: Site) -> None:
    viewer = browser_of(site, "viewer")
    path = viewer.path_of("jane@example.com")
    assert viewer.send(f"{path}/allow", note="no").status_code == 403
    assert viewer.get("/console/suppressions").status_code == 403


def test_a_page_of_another_site_can_t_use_a_person(site: Site) -> None:
    browser = browser_of(site, "admin")
    path = browser.path_of("jane@example.com")
    foreign = {"Sec-Fetch-Site": "cross-site", "Content-Type": "application/x-www-form-urlencoded"}
    answer = browser.ask("POST", f"{path}/allow", data={"note": "x"}, headers=foreign)
    assert answer.status_code == 403


@pytest.mark.parametrize(("data", "status"), [("wrong", 401), ("unverified", 503)])
def test_nobody_is_let_in_whom_the_load_balancer_does_not_vouch_for(
    site: Site, data: str, status: int
) -> None:
    page = browser_of(site, data).get("/console")
    assert page.status_code == status
    assert ("Retry-After" in page.headers) == (status == 503)
    assert ("Nobody can check who you are" in page.text) == (status == 503)


def test_a_session_counts_before_the_load_balancer(site: Site) -> None:
    browser = browser_of(site, "viewer")
    token = site.token(*ROLES["operator"], name="mary")
    assert browser.send("/console/login", token=token).status_code == 303
    page = browser.get("/console/suppressions")
    assert page.status_code == 200
    assert "mary" in page.text
