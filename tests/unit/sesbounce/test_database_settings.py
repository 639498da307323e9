import pytest

from sesbounce.database_settings import load_database_settings
from sesbounce.errors import ConfigurationError
from sesbounce.settings import Settings, load_settings

KEYS = ["k" * 32, "l" * 40]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SESBOUNCE_{name.upper()}", raising=False)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SESBOUNCE_DATABASE_URL": ""},
        {"SESBOUNCE_DATABASE_URL": "postgresql://me@db/app"},
        {
            "SESBOUNCE_DATABASE_URL": " mysql://me@db/app\r",
            "SESBOUNCE_DATABASE_PASSWORD": "p@ss/w:rd",
        },
        {"SESBOUNCE_DATABASE_URL": "mysql://me:old@db/app", "SESBOUNCE_DATABASE_PASSWORD": ""},
        {"SESBOUNCE_DATABASE_URL": "nonsense", "SESBOUNCE_DATABASE_PASSWORD": "secret"},
        {"SESBOUNCE_DATABASE_URL": " \n", "SESBOUNCE_DATABASE_PASSWORD_FROM": " "},
        {"SESBOUNCE_HASH_KEY": ""},
        {"SESBOUNCE_HASH_KEY": f" {KEYS[0]} ,{KEYS[1]},"},
    ],
)
def test_questions_and_the_worker_read_the_same(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    url, hash_keys, passwords = load_database_settings()
    settings = load_settings()
    assert (passwords, settings.passwords) == (None, None)
    assert url == settings.database
    assert hash_keys.checks == settings.hash_keys.checks


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"sesbounce_database_url": "sqlite://"}, "use SESBOUNCE_DATABASE_URL"),
        ({"SESBOUNCE_DATABASE_URL": "'sqlite://'"}, "SESBOUNCE_DATABASE_URL: .*in quotes"),
        (
            {
                "SESBOUNCE_DATABASE_URL": "mysql://me:old@db/app",
                "SESBOUNCE_DATABASE_PASSWORD": "new",
            },
            "two different passwords",
        ),
    ],
)
def test_both_reject_the_same(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], problem: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=problem):
        load_database_settings()
    with pytest.raises(ConfigurationError, match=problem):
        assert load_settings().database  # the passwords are compared when they are needed


def test_a_short_hash_key_is_refused_by_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_HASH_KEY", f"{KEYS[0]},short")
    for load in (load_database_settings, load_settings):
        with pytest.raises(ConfigurationError, match=r"SESBOUNCE_HASH_KEY: .*too short"):
            load()
