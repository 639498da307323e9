"""Checks what SES lets the account do: send mail, and to which addresses it sends none."""

from collections.abc import Collection, Iterator

import boto3

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint, setting

# SES's names of the reasons to put an address on its suppression list, and their plural in a text.
_REASONS = {"BOUNCE": "bounces", "COMPLAINT": "complaints"}

_LIST = "SES's suppression list"
_MEANING = (
    "SES sends no mail to an address on its list, and answers with a bounce of the subtype "
    "OnAccountSuppressionList, which sesbounce records as not attempted"
)
_SWITCH = "aws sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE COMPLAINT"


def account(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """SES lets the account send mail, to any address but those on its suppression list."""
    answer = session.client("sesv2").get_account()
    enforcement = answer.get("EnforcementStatus", "HEALTHY")
    if enforcement == "SHUTDOWN" or not answer.get("SendingEnabled", True):
        yield broken(
            f"SES has stopped sending in {wiring.region}",
            "no mail leaves the account",
            "Read the reason in AWS's mails and the SES console, and ask for a review",
        )
    if enforcement == "PROBATION":
        yield hint(
            f"SES has the account under review in {wiring.region}",
            "SES stops its sending next, if the bounce or complaint rate stays too high",
            "See the reputation metrics in the SES console",
        )
    if not answer.get("ProductionAccessEnabled", True):
        yield hint(
            f"the account is in SES's sandbox in {wiring.region}",
            "mail goes to verified addresses and the mailbox simulator only",
            "Ask for production access in the SES console",
        )
    suppressed = answer.get("SuppressionAttributes", {}).get("SuppressedReasons", [])
    yield from _suppression(wiring, suppressed)


def configuration_set_settings(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """SES sends mail with each configuration set; some have their own suppression reasons."""
    client = session.client("sesv2")
    for name in wiring.configuration_sets:
        answer = client.get_configuration_set(ConfigurationSetName=name)
        if not answer.get("SendingOptions", {}).get("SendingEnabled", True):
            yield broken(
                f"the configuration set {name} is switched off",
                "SES rejects mail that is sent with it",
                f"Switch it on: aws sesv2 put-configuration-set-sending-options "
                f"--configuration-set-name {name} --sending-enabled",
            )
        reasons = answer.get("SuppressionOptions", {}).get("SuppressedReasons", [])
        if reasons:
            yield setting(
                f"{_LIST} for the configuration set {name}: {_on_and_off(reasons)}",
                f"this replaces the account's setting for its mail. {_MEANING}",
                "Change it: configuration_sets[*].suppressed_reasons for a set of this stack, "
                "otherwise the SES console",
            )


def _suppression(wiring: Wiring, reasons: Collection[str]) -> Iterator[Finding]:
    if not reasons:
        yield hint(
            f"{_LIST} of the account is off in {wiring.region}",
            "SES sends mail to an address even after a bounce or complaint; only a sender that "
            "asks sesbounce does not",
            f"Switch it on: {_SWITCH}",
        )
    else:
        yield setting(
            f"{_LIST} of the account in {wiring.region}: {_on_and_off(reasons)}",
            _MEANING,
            f"Change it: {_SWITCH}",
        )
    if wiring.fills_suppression_list and set(_REASONS) - set(reasons):
        off = " and ".join(_REASONS[reason] for reason in _REASONS if reason not in reasons)
        yield hint(
            f"the worker adds addresses to {_LIST}, where {off} are off",
            "SES may send mail to them all the same",
            f"Switch them on: {_SWITCH}",
        )


def _on_and_off(reasons: Collection[str]) -> str:
    return ", ".join(
        f"{text} {'on' if reason in reasons else 'off'}" for reason, text in _REASONS.items()
    )
