"""The settings of webhooks: what they name, what is wrong with them; they show no secret."""

import base64
import json

import pytest

from sesbounce.errors import ConfigurationError
from sesbounce.settings import load_settings
from sesbounce.webhook_settings import Endpoint, signing_keys

GEHEIM = "whsec_" + base64.b64encode(b"geheim" * 5).decode()
CRM = {"url": "https://crm.example/geheim"}
GOOD = {
    "WEBHOOKS": {"crm": CRM},
    "WEBHOOK_SECRETS": dict.fromkeys(["crm", "Crm", "c" * 41, "webhook"], GEHEIM),
}


def load(monkeypatch: pytest.MonkeyPatch, **values: object) -> list[Endpoint]:
    for name, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(f"SESBOUNCE_{name}", text)
    return load_settings().endpoints


def test_several_webhooks_stand_beside_the_one_of_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    only, billing, crm = load(
        monkeypatch,
        WEBHOOK_URL="https://hooks.example/x",
        WEBHOOK_SECRET="sixteen letters at least",
        WEBHOOKS={
            "crm": {**CRM, "types": ["address.released"], "reasons": ["complaint_abuse"]},
            "billing": {"url": "https://billing.example:8443/"},
        },
        # Of a secret that holds more than is needed, the rest does no harm.
        WEBHOOK_SECRETS={"crm": GEHEIM, "billing": f"{GEHEIM}, an old text of bytes", "gone": "x"},
    )
    assert (only.name, only.target, only.keys) == (
        "webhook",
        "webhook",
        (b"sixteen letters at least",),
    )
    assert (billing.target, billing.host) == ("webhook:billing", "billing.example")
    assert billing.keys == (b"geheim" * 5, b"an old text of bytes")
    assert (billing.types, billing.reasons) == (frozenset(), frozenset())
    assert crm.target == "webhook:crm"
    assert crm.types == {"address.released"}
    assert crm.reasons == {"complaint_abuse"}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"WEBHOOK_SECRETS": {}}, "SESBOUNCE_WEBHOOK_SECRETS holds no secret for crm"),
        ({"WEBHOOKS": "[]"}, "SESBOUNCE_WEBHOOKS is no JSON object .*: Expected `object`"),
        ({"WEBHOOKS": "{"}, "SESBOUNCE_WEBHOOKS is no JSON object .*: Input data was truncated"),
        ({"WEBHOOKS": {"crm": {}}}, "missing required field `url`"),
        ({"WEBHOOKS": {"crm": {**CRM, "typ": []}}}, "unknown field `typ`"),
        ({"WEBHOOKS": {"crm": {**CRM, "types": ["geheim"]}}}, "of the types must be one of addr"),
        ({"WEBHOOKS": {"crm": {**CRM, "reasons": ["geheim"]}}}, "crm: each of the reasons must be"),
        ({"WEBHOOKS": {"crm": {"url": "http://x.example"}}}, "WEBHOOKS, crm: the URL should begin"),
        ({"WEBHOOKS": {"Crm": CRM}}, "the name of a webhook has at most 40 of"),
        ({"WEBHOOKS": {"c" * 41: CRM}}, "the name of a webhook has at most 40 of"),
        ({"WEBHOOKS": {"webhook": CRM}}, "and is not `webhook`"),
        ({"WEBHOOK_SECRETS": {"crm": 5}}, "SESBOUNCE_WEBHOOK_SECRETS is no JSON object"),
        ({"WEBHOOK_SECRETS": {"crm": "geheim"}}, "SECRETS, crm: the secret has fewer than 16"),
        ({"WEBHOOK_SECRET": "whsec_geheim-geheim-geheim"}, "go on with the base64 of 24 to 64"),
        ({"WEBHOOK_SECRET": "whsec_Z2VoZWlt"}, "go on with the base64 of 24 to 64 bytes"),
        ({"WEBHOOK_SECRET": f"{GEHEIM},geheim"}, "SECRET: the secret has fewer than 16 characters"),
    ],
)
def test_a_wrong_setting_is_an_error_that_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, object], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem) as error:
        load(monkeypatch, **{**GOOD, **values})
    shown = str(error.value)
    assert "geheim" not in shown.lower()
    assert "R2VoZWlt" not in shown


def test_a_webhook_may_be_insecure_where_the_settings_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "http://127.0.0.1:9/"
    (crm,) = load(
        monkeypatch,
        WEBHOOKS={"crm": {"url": url}},
        WEBHOOK_SECRETS={"crm": GEHEIM},
        WEBHOOK_INSECURE="true",
    )
    assert crm.url == url


def test_neither_settings_nor_endpoints_show_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints = load(monkeypatch, WEBHOOKS={"crm": CRM}, WEBHOOK_SECRETS={"crm": GEHEIM})
    settings = load_settings()
    for shown in (repr(endpoints), repr(settings), settings.model_dump_json()):
        assert "geheim" not in shown
        assert GEHEIM not in shown


def test_a_secret_without_a_prefix_stands_for_its_own_bytes() -> None:
    assert signing_keys(" a text with blanks ") == (b" a text with blanks ",)
    assert signing_keys(f" {GEHEIM.rstrip('=')} ") == (b"geheim" * 5,)
