from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa

from sesbounce.errors import TokenError
from sesbounce.store import tokens
from sesbounce.store.tokens import Scope, Token
from tests import stored
from tests.support import AT

CRM = Token(name="crm", scopes=(Scope.DECIDE, Scope.CHECK), created_at=AT, created_by="jane")
DAY = timedelta(days=1)


def test_the_database_holds_a_hash_and_not_the_token(engine: sa.Engine) -> None:
    secret = tokens.create(engine, CRM)
    assert secret.startswith("sesbounce_")
    assert secret not in str(stored.table(engine, "feedback_token"))
    assert tokens.find(engine, secret, AT) == tokens.all_tokens(engine)[0]
    assert tokens.all_tokens(engine) == [
        msgspec.structs.replace(CRM, scopes=(Scope.CHECK, Scope.DECIDE))
    ]
    changed = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    for wrong in (changed, "", "crm", secret.upper(), f"{secret} ", tokens.digest(secret)):
        assert tokens.find(engine, wrong, AT) is None


def test_an_expired_or_revoked_token_is_not_found(engine: sa.Engine) -> None:
    short = tokens.create(engine, msgspec.structs.replace(CRM, expires_at=AT + DAY))
    other = tokens.create(engine, msgspec.structs.replace(CRM, name="other"))
    assert tokens.find(engine, short, AT)
    assert not tokens.find(engine, short, AT + DAY)
    for moment in (AT, AT + DAY):  # the first time stays
        (revoked,) = tokens.revoke(engine, ["other"], moment, "bob")
        assert revoked.revoked_at == AT
    assert not tokens.find(engine, other, AT)
    assert tokens.any_token(engine)


def test_the_last_day_of_a_use_is_known(engine: sa.Engine) -> None:
    tokens.create(engine, CRM)
    assert tokens.all_tokens(engine)[0].last_used_on is None
    for day, last in ((0, 0), (2, 2), (1, 2)):
        tokens.note_use(engine, "crm", (AT + day * DAY).date())
        assert tokens.all_tokens(engine)[0].last_used_on == (AT + last * DAY).date()


def test_one_unknown_name_keeps_all_from_being_revoked(engine: sa.Engine) -> None:
    secret = tokens.create(engine, CRM)
    with pytest.raises(TokenError, match="no token crn, and none is revoked"):
        tokens.revoke(engine, ["crm", "crn"], AT, "bob")
    assert tokens.find(engine, secret, AT)


@pytest.mark.parametrize("name", ["", "CRM", "two words", "-x", "x" * 65, "ä"])
def test_a_name_can_be_typed_and_logged(engine: sa.Engine, name: str) -> None:
    with pytest.raises(TokenError, match="is no name for a token"):
        tokens.create(engine, msgspec.structs.replace(CRM, name=name))


def test_names_are_not_used_twice_and_scopes_are_given(engine: sa.Engine) -> None:
    tokens.create(engine, CRM)
    with pytest.raises(TokenError, match="there is a token crm already"):
        tokens.create(engine, CRM)
    with pytest.raises(TokenError, match="permits nothing"):
        tokens.create(engine, msgspec.structs.replace(CRM, name="none", scopes=()))


def test_a_scope_of_a_newer_version_permits_nothing_here(engine: sa.Engine) -> None:
    secret = tokens.create(engine, CRM)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE feedback_token SET scopes = 'check launch'")
    found = tokens.find(engine, secret, AT)
    assert found
    assert [scope for scope in Scope if found.permits(scope)] == [Scope.CHECK]
    assert all(msgspec.structs.replace(CRM, scopes=(Scope.ADMIN,)).permits(s) for s in Scope)
