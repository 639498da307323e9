import argparse

import pytest

from scripts.local import simulate
from scripts.local.ses_messages import Scenario, scenario_of
from scripts.local.simulate import Target, parse_target


@pytest.mark.parametrize(
    ("address", "scenario"),
    [
        ("bounce@simulator.amazonses.com", Scenario.BOUNCE),
        ("Bounce+label@Simulator.AmazonSES.com", Scenario.BOUNCE),
        ("suppressionlist@simulator.amazonses.com", Scenario.SUPPRESSIONLIST),
        ("mailbox-full@simulator.amazonses.com", None),
        ("nobody@simulator.amazonses.com", None),
        ("bounce@example.com", None),
        ("bounce", None),
    ],
)
def test_the_simulator_s_addresses_are_known(address: str, scenario: Scenario | None) -> None:
    assert scenario_of(address) is scenario


def test_targets_are_simulator_addresses_or_name_their_scenario() -> None:
    bounce = "bounce@simulator.amazonses.com"
    assert parse_target(bounce) == Target(bounce, Scenario.BOUNCE)
    assert parse_target("a@b.example=mailbox-full") == Target("a@b.example", Scenario.MAILBOX_FULL)
    assert parse_target("a=b@c.example=bounce") == Target("a=b@c.example", Scenario.BOUNCE)


@pytest.mark.parametrize("text", ["a@b.example", "a@b.example=vanish", "bounce", "=bounce"])
def test_other_targets_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="ADDRESS=SCENARIO"):
        parse_target(text)


def test_on_aws_no_bounces_are_invented(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert simulate.main(["--from", "me@example.com", "--to", "a@b.example=bounce"]) == 1
    assert "would count against your account" in capsys.readouterr().err


def test_elsewhere_the_topic_must_be_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("SESBOUNCE_TOPIC_ARNS", raising=False)
    assert simulate.main(["--from", "me@example.com"]) == 1
    assert "--topic-arn" in capsys.readouterr().err
