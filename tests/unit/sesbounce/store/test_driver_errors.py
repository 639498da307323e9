import pytest
from sqlalchemy.exc import DBAPIError

from sesbounce.store.driver_errors import cause


def error(words: str) -> DBAPIError:
    return DBAPIError("UPDATE member", {"address": "jane"}, Exception(words))


@pytest.mark.parametrize(
    "words",
    [
        "Duplicate entry '\"jane doe\"@example.com' for key 'email'",
        "Duplicate entry '\"jane \\\" doe\"@example.com' for key 'email'",
        "Duplicate entry '\"jane\ndoe\"@example.com' for key 'email'",
        "Duplicate entry 'jane@example.com' for key 'email'",
        "no row for jane\u0301@example.com, doe@example.com",
        "no row for jane(doe doe)@example.com",
        "no row for jane\u200bdoe%40example.com",
        "no row\nDETAIL: jane doe",
    ],
)
def test_no_part_of_an_address_is_left_in_the_database_s_words(words: str) -> None:
    said = cause(error(words))
    assert "jane" not in said
    assert "doe" not in said
    assert said.startswith(words.split(maxsplit=1)[0])


def test_words_without_an_address_stay() -> None:
    said = cause(error('relation "member" does not exist\nLINE 1: UPDATE member'))
    assert said == 'relation "member" does not exist'
