import os
from datetime import timedelta

import pytest

from sesbounce.errors import ConfigurationError
from sesbounce.policy.verdict import Policy
from sesbounce.settings import Settings, load_settings
from sesbounce.variables import SETTINGS


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SESBOUNCE_"):
            monkeypatch.delenv(name)


def test_the_defaults_are_the_policy_s() -> None:
    settings = load_settings()
    assert settings.policy == Policy()
    assert settings.database == "sqlite:///sesbounce.sqlite3"
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
        ("DEAD_LETTER_QUEUE_URL", "my-dlq", "URL of the queue's dead-letter queue"),
        ("POSSIBLE_COMPLAINT", "shout", "'strike', 'suppress' or 'ignore'"),
        ("TAGS", "a,b c", "a name of a tag holds at most 256 letters, digits"),
        ("TAGS", "x" * 257, "a name of a tag holds at most 256 letters, digits"),
        ("TAGS", ",".join(f"t{n}" for n in range(11)), "there are more than 10 names"),
        ("STREAM_BY", "list", "none, configuration-set, tenant, topic or tag:NAME.*into streams"),
    ],
)
def test_an_error_names_the_variable_and_what_it_should_be(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"SESBOUNCE_{name}", value)
    with pytest.raises(ConfigurationError, match=f"SESBOUNCE_{name}: .*{said}"):
        load_settings()


@pytest.mark.parametrize(
    ("variables", "messages"),
    [
        ({}, 200),
        ({"SESBOUNCE_PROCESSES": "2"}, 400),
        ({"SESBOUNCE_PROCESSES": "2", "SESBOUNCE_BATCH_SIZE": "100"}, 100),
    ],
)
def test_several_processes_commit_more_messages_at_once(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], messages: int
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert load_settings().largest_batch == messages


def test_tags_are_named_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().tags == []
    monkeypatch.setenv("SESBOUNCE_TAGS", " campaign, ses:from-domain,campaign ,")
    assert load_settings().tags == ["campaign", "ses:from-domain"]


def test_every_setting_is_a_known_variable() -> None:
    assert {f"SESBOUNCE_{name.upper()}" for name in Settings.model_fields} == SETTINGS


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_a_password_of_its_own_goes_into_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "postgresql://me@db/app?sslmode=require")
    monkeypatch.setenv("SESBOUNCE_DATABASE_PASSWORD", "p@ss/w:rd")
    settings = load_settings()
    assert settings.database == "postgresql://me:p%40ss%2Fw%3Ard@db/app?sslmode=require"
    assert "p@ss" not in repr(settings)


def test_a_url_that_is_none_is_left_to_open_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "nonsense")
    monkeypatch.setenv("SESBOUNCE_DATABASE_PASSWORD", "secret")
    assert load_settings().database == "nonsense"


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("SESBOUNCE_STRIKEOFF_SQL", "SESBOUNCE_STRIKE_OFF_SQL"),
        ("SESBOUNCE_STRIKE_OF_SQL", "SESBOUNCE_STRIKE_OFF_SQL"),
        ("SESBOUNCE_DB_URL", "SESBOUNCE_DATABASE_URL"),
        ("SESBOUNCE_HASH_KEYS", "SESBOUNCE_HASH_KEY"),
        ("SESBOUNCE_METRIC_PORT", "SESBOUNCE_METRICS_PORT"),
        ("SESBOUNCE_REFUSAL_DAYS", "SESBOUNCE_NOT_ATTEMPTED_DAYS"),
        ("sesbounce_strikes", "SESBOUNCE_STRIKES"),
        ("Sesbounce_Queue_Url", "SESBOUNCE_QUEUE_URL"),
        ("SES_BOUNCE_QUEUE_URL", "SESBOUNCE_QUEUE_URL"),
        ("SESBOUNCE__QUEUE_URL", "SESBOUNCE_QUEUE_URL"),
        ("SESBOUNCEQUEUE_URL", "SESBOUNCE_QUEUE_URL"),
        ("SESBOUNCE-EMF", "SESBOUNCE_EMF"),
        ("SEBOUNCE_QUEUE_URL", "SESBOUNCE_QUEUE_URL"),
        ("SESBOUNCES_STRIKES", "SESBOUNCE_STRIKES"),
    ],
)
@pytest.mark.parametrize("value", ["5", ""])
def test_a_misspelt_setting_is_an_error_with_the_right_name(
    monkeypatch: pytest.MonkeyPatch, name: str, right: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^{name} is no setting.*: use {right}$"):
        load_settings()


def test_a_variable_that_is_like_no_setting_is_an_error_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SESBOUNCE_BANANA", "1")
    with pytest.raises(ConfigurationError, match=r"^SESBOUNCE_BANANA is no setting .*: unset it"):
        load_settings()


def test_variables_of_others_are_no_misspellings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = "tcp://10.0.0.1:9090"
    for name, value in {
        "SESBOUNCE_TERRAFORM_MIRROR": "/mirror",
        "SESBOUNCE_TERRAFORM_RELEASES": "/releases",
        "BOUNCE_QUEUE_URL": "of another program",
        "SES_STRIKES": "5",
        "SESBOUNCE_SERVICE_HOST": "10.0.0.1",
        "SESBOUNCE_SERVICE_PORT": "9090",
        "SESBOUNCE_SERVICE_PORT_METRICS": "9090",
        "SESBOUNCE_PORT": service,
        "SESBOUNCE_PORT_9090_TCP": service,
        "SESBOUNCE_PORT_9090_TCP_PROTO": "tcp",
        "SESBOUNCE_WORKER_SERVICE_HOST": "10.0.0.1",
        "SESBOUNCE_WORKER_PORT_9090_TCP_ADDR": "10.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    assert load_settings().metrics_port is None
    monkeypatch.setenv("SESBOUNCE_METRICS_PORT", service)
    with pytest.raises(ConfigurationError, match=r"METRICS_PORT: .*enableServiceLinks: false"):
        load_settings()


@pytest.mark.parametrize("blanks", ["", " ", "\t", "\r"])
def test_a_setting_of_blanks_is_not_set(monkeypatch: pytest.MonkeyPatch, blanks: str) -> None:
    for name in ("QUEUE_URL", "STRIKES", "HASH_KEY", "MIGRATE", "DATABASE_URL", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"SESBOUNCE_{name}", blanks)
    settings = load_settings()
    assert (settings.queue_url, settings.strikes, settings.migrate) == (None, 3, True)
    assert settings.database == "sqlite:///sesbounce.sqlite3"
    assert settings.webhook_secret is None
    assert not settings.migrate_is_set


def test_blanks_and_line_ends_around_a_value_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", " https://sqs.example/1/q\r\n")
    monkeypatch.setenv("SESBOUNCE_STRIKES", "5\r")
    monkeypatch.setenv("SESBOUNCE_REDACT", "no\r")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "postgresql://me@db/app\r")
    monkeypatch.setenv("SESBOUNCE_DATABASE_PASSWORD", " a b\r\n")
    settings = load_settings()
    assert settings.queue_url == "https://sqs.example/1/q"
    assert (settings.strikes, settings.redact) == (5, False)
    assert settings.database == "postgresql://me: a b@db/app"


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize(
    "name", ["QUEUE_URL", "DATABASE_URL", "DATABASE_PASSWORD", "WEBHOOK_SECRET", "HASH_KEY"]
)
def test_a_value_in_quotes_is_an_error_that_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, name: str, quote: str
) -> None:
    monkeypatch.setenv(f"SESBOUNCE_{name}", f"{quote}https://geheim.example/{'x' * 32}{quote}")
    with pytest.raises(ConfigurationError, match=f"SESBOUNCE_{name}: .* in quotes") as error:
        load_settings()
    assert "geheim" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"DATABASE_URL": "postgresql://me:geheim@db/app", "DATABASE_PASSWORD": "other"},
            "two different passwords",
        ),
        ({"DATABASE_PASSWORD": "geheim"}, "SQLite has no passwords"),
        (
            {"STRIKE_OFF_DATABASE_URL": "postgresql://me:geheim@db/app"},
            "needs SESBOUNCE_STRIKE_OFF_SQL or",
        ),
        (
            {"STRIKE_OFF_DATABASE_PASSWORD_FROM": "rds-iam"},
            "PASSWORD_FROM needs SESBOUNCE_STRIKE_OFF_DATABASE_URL",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_an_error(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], problem: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"SESBOUNCE_{name}", value)
    with pytest.raises(ConfigurationError, match=problem) as error:
        _ = load_settings().database
    assert "geheim" not in str(error.value)


def test_the_same_password_in_both_places_is_no_contradiction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "postgresql://me:geheim@db/app")
    monkeypatch.setenv("SESBOUNCE_DATABASE_PASSWORD", "geheim")
    assert load_settings().database == "postgresql://me:geheim@db/app"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://me:geheim@db/app"),
        ("DATABASE_PASSWORD", "geheim"),
        ("STRIKE_OFF_DATABASE_URL", "mysql://me:geheim@db/app"),
        ("WEBHOOK_URL", "https://hooks.example/geheim"),
        ("WEBHOOK_SECRET", "geheim-geheim-geheim"),
        ("HASH_KEY", "geheim" * 6),
    ],
)
def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("SESBOUNCE_WEBHOOK_SECRET", "x" * 32)
    monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", "DELETE FROM x WHERE y = :address")
    monkeypatch.setenv(f"SESBOUNCE_{name}", value)
    settings = load_settings()
    for shown in (repr(settings), str(settings), f"{settings.model_dump()}"):
        assert "geheim" not in shown
    assert "geheim" not in settings.model_dump_json()
