import pytest

from sesbounce.feedback.provider import provider_in, provider_named, provider_of


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("jane@gmail.com", "google"),
        ("jane@googlemail.com", "google"),
        ("web.de", "united-internet"),
        ("jane@example.com", "example.com"),
        ('"a@gmail.com"@example.com', "example.com"),
        ("not an address", "not an address"),
        ("", ""),
    ],
)
def test_the_provider_of_an_address(address: str, provider: str) -> None:
    assert provider_of(address) == provider


@pytest.mark.parametrize(
    ("reply", "provider"),
    [
        (None, ""),
        ("", ""),
        ("smtp; 550 5.1.1 User unknown", ""),
        ("smtp; 550-5.1.1 … https://support.google.com/mail/?p=NoSuchUser x - gsmtp", "google"),
        ("smtp; 550 5.4.1 … [DB5EUR02FT.eop-EUR02.prod.protection.OUTLOOK.com]", "microsoft"),
        ("x" * 5000 + " - gsmtp", ""),
    ],
)
def test_the_provider_that_a_reply_shows(reply: str | None, provider: str) -> None:
    assert provider_in(reply) == provider


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("google", "google"),
        (" Google ", "google"),
        ("gmail.com", "gmail.com"),
        ("@GMAIL.com", "gmail.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("mail.ru", "mail.ru"),
        ("gogle", None),
        ("jane@gmail.com", None),
        ("two words.com", None),
        ("", None),
        ("@", None),
    ],
)
def test_the_provider_that_a_person_names(text: str, provider: str | None) -> None:
    assert provider_named(text) == provider
