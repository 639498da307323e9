from datetime import timedelta

import pytest

from sesbounce.errors import ConfigurationError
from sesbounce.policy.verdict import Policy
from sesbounce.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SESBOUNCE_{name.upper()}", raising=False)


def test_the_defaults_are_the_policy_s() -> None:
    settings = load_settings()
    assert settings.policy == Policy()
    assert settings.database_url == "sqlite:///sesbounce.sqlite3"
    assert settings.queue_url is None


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_STRIKES", "5")
    monkeypatch.setenv("SESBOUNCE_STRIKE_WINDOW_DAYS", "7")
    monkeypatch.setenv("SESBOUNCE_POSSIBLE_COMPLAINT", "ignore")
    monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", "")
    policy = load_settings().policy
    assert (policy.strikes, policy.window) == (5, timedelta(days=7))
    assert policy.possible_complaint == "ignore"
    assert load_settings().strike_off_sql is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("STRIKES", "many", "valid integer.*number of strikes, with no delivery in between"),
        ("STRIKES", "0", "greater than or equal to 1"),
        ("QUEUE_URL", "my-queue", "URL of the SQS queue"),
        ("POSSIBLE_COMPLAINT", "shout", "'strike', 'suppress' or 'ignore'"),
    ],
)
def test_an_error_names_the_variable_and_what_it_should_be(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"SESBOUNCE_{name}", value)
    with pytest.raises(ConfigurationError, match=f"SESBOUNCE_{name}: .*{said}"):
        load_settings()


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_a_password_of_its_own_goes_into_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "postgresql://me:old@db/app?sslmode=require")
    monkeypatch.setenv("SESBOUNCE_DATABASE_PASSWORD", "p@ss/w:rd")
    settings = load_settings()
    assert settings.database == "postgresql://me:p%40ss%2Fw%3Ard@db/app?sslmode=require"
    assert "p@ss" not in repr(settings)


def test_a_url_that_is_none_is_left_to_open_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "nonsense")
    monkeypatch.setenv("SESBOUNCE_DATABASE_PASSWORD", "secret")
    assert load_settings().database == "nonsense"
