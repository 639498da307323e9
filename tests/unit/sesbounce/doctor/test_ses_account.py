"""The checks of the account in SES, its suppression list and its recommendations."""

from dataclasses import replace
from typing import Any

import pytest

from sesbounce.doctor import recommendations, ses_account
from sesbounce.doctor.finding import Weight
from tests.unit.sesbounce.doctor.stubbed import SET, WIRING, arn, texts

BOTH = {"SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}}
LIST_ON = (
    "setting",
    "SES's suppression list of the account in eu-west-1: bounces on, complaints on",
)


def test_what_ses_recommends_for_the_identities_is_shown(answers: Any) -> None:
    def recommends(type_: str, impact: str, domain: str = "example.com") -> dict[str, str]:
        return {
            "ResourceArn": arn("ses", f"identity/{domain}"),
            "Type": type_,
            "Description": "Publish a record.",
            "Impact": impact,
        }

    first = [recommends("DMARC", "HIGH"), recommends("DKIM", "HIGH", "example.org")]
    answers.to("sesv2", "list_recommendations", {"Recommendations": first, "NextToken": "2"})
    second = [recommends("BIMI", "LOW")]
    answers.to("sesv2", "list_recommendations", {"Recommendations": second})
    hinted, said = recommendations.recommendations(WIRING, answers)
    assert (hinted.weight, hinted.what) == (
        Weight.HINT,
        "SES recommends DMARC for example.com",
    )
    assert hinted.why == "Publish a record"
    assert (said.weight, said.what) == (Weight.SETTING, "SES recommends BIMI for example.com")
    # Who has followed them all gets an empty answer.
    answers.to("sesv2", "list_recommendations", {"Recommendations": []})
    assert list(recommendations.recommendations(WIRING, answers)) == []


@pytest.mark.parametrize(
    ("account", "found"),
    [
        ({"ProductionAccessEnabled": True, "SendingEnabled": True}, []),
        ({"ProductionAccessEnabled": False}, [("hint", "the account is in SES's sandbox")]),
        ({"SendingEnabled": False}, [("broken", "SES has stopped sending")]),
        ({"EnforcementStatus": "SHUTDOWN"}, [("broken", "SES has stopped sending")]),
        ({"EnforcementStatus": "PROBATION"}, [("hint", "SES has the account under review")]),
    ],
)
def test_the_account_may_send(
    answers: Any, account: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    answers.to("sesv2", "get_account", account | BOTH)
    assert texts(ses_account.account(WIRING, answers)) == [
        *((weight, f"{what} in eu-west-1") for weight, what in found),
        LIST_ON,
    ]


@pytest.mark.parametrize(
    ("reasons", "found"),
    [
        (["BOUNCE", "COMPLAINT"], LIST_ON),
        (["COMPLAINT"], (LIST_ON[0], LIST_ON[1].replace("bounces on", "bounces off"))),
        ([], ("hint", "SES's suppression list of the account is off in eu-west-1")),
    ],
)
def test_the_account_s_suppression_list_is_shown(
    answers: Any, reasons: list[str], found: tuple[str, str]
) -> None:
    answers.to("sesv2", "get_account", {"SuppressionAttributes": {"SuppressedReasons": reasons}})
    assert texts(ses_account.account(WIRING, answers)) == [found]


def test_the_setting_says_what_it_means_beside_sesbounce(answers: Any) -> None:
    answers.to("sesv2", "get_account", BOTH)
    (found,) = ses_account.account(WIRING, answers)
    assert str(found) == (
        f"setting: {LIST_ON[1]}: SES sends no mail to an address on its list, and answers with a "
        "bounce of the subtype OnAccountSuppressionList, which sesbounce records as not attempted. "
        "Change it: aws sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE "
        "COMPLAINT."
    )


@pytest.mark.parametrize(
    ("reasons", "off"),
    [([], "bounces and complaints"), (["BOUNCE"], "complaints"), (["BOUNCE", "COMPLAINT"], None)],
)
def test_a_list_that_the_worker_fills_in_vain_is_found(
    answers: Any, reasons: list[str], off: str | None
) -> None:
    answers.to("sesv2", "get_account", {"SuppressionAttributes": {"SuppressedReasons": reasons}})
    filling = replace(WIRING, fills_suppression_list=True)
    _, *found = texts(ses_account.account(filling, answers))
    what = f"the worker adds addresses to SES's suppression list, where {off} are off"
    assert found == ([("hint", what)] if off else [])


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"SendingOptions": {"SendingEnabled": True}, "SuppressionOptions": {}}, []),
        (
            {"SendingOptions": {"SendingEnabled": False}},
            [("broken", "the configuration set set is switched off")],
        ),
        (
            {"SuppressionOptions": {"SuppressedReasons": ["COMPLAINT"]}},
            [
                (
                    "setting",
                    "SES's suppression list for the configuration set set: "
                    "bounces off, complaints on",
                )
            ],
        ),
    ],
)
def test_a_configuration_set_may_have_its_own_settings(
    answers: Any, settings: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    answers.to("sesv2", "get_configuration_set", settings)
    assert texts(ses_account.configuration_set_settings(SET, answers)) == found
