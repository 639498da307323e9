"""What a load balancer has signed is believed, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesbounce.errors import IdentityError
from sesbounce.server.load_balancer import verified_claims
from tests.load_balancer import ANN, ARN, KEY_ID, Signer, balancer, padded
from tests.support import AT

SIGNER, OTHER = Signer(), Signer()
TOKEN = SIGNER.token()
HEADER, PAYLOAD, SIGNATURE = TOKEN.split(".")


def claims(token: str, at: Any = AT) -> dict[str, Any]:
    return verified_claims(token, balancer(), lambda _: SIGNER.key.public_key(), at)


@pytest.mark.parametrize("length", range(4))
def test_each_padding_is_read(length: int) -> None:
    said = {**ANN, "name": "x" * length}
    assert claims(SIGNER.token(said, typ="x" * length)) == said


def test_the_padding_is_signed() -> None:
    tokens = (SIGNER.token({**ANN, "name": "x" * length}) for length in range(3))
    signed = next(part for part in (t.rpartition(".")[0] for t in tokens) if part.endswith("="))
    bare = signed.replace("=", "")
    with pytest.raises(IdentityError, match="signature is wrong"):
        claims(f"{bare}.{padded(SIGNER.signature(signed.encode()))}")
    # If AWS leaves it out one day, and signs it so, nothing misses it.
    assert claims(f"{bare}.{padded(SIGNER.signature(bare.encode()))}")["sub"] == ANN["sub"]


def test_it_ends_at_its_time() -> None:
    assert claims(TOKEN, AT + timedelta(seconds=119.9)) == ANN
    with pytest.raises(IdentityError, match="expired"):
        claims(TOKEN, AT + timedelta(seconds=120))


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ({"alg": "none"}, "algorithm"),
        ({"alg": "HS256"}, "algorithm"),
        ({"alg": "ES384"}, "algorithm"),
        ({"alg": "es256"}, "algorithm"),
        ({"crit": ["b64"]}, "algorithm"),
        ({"signer": ARN.replace("sesbounce", "another")}, "another load balancer"),
        ({"signer": f"{ARN}0"}, "another load balancer"),
        ({"signer": ""}, "another load balancer"),
        ({"iss": "https://issuer.example.com"}, "another issuer"),
        ({"client": "another"}, "another client"),
        ({"kid": "../../evil"}, "no UUID"),
        ({"kid": f"{KEY_ID}\n"}, "no UUID"),
        ({"kid": f"{KEY_ID}?x=y"}, "no UUID"),
        ({"kid": ""}, "no UUID"),
        ({"exp": 0}, "expired"),
        ({"exp": "2099-01-01"}, "not what"),
        ({"exp": True}, "not what"),
    ]
    + [({name: None}, "not what") for name in ("alg", "kid", "signer", "iss", "client", "exp")],
)
def test_a_header_that_is_wrong_is_rejected_before_a_key_is_fetched(
    header: dict[str, Any], problem: str
) -> None:
    def no_key(_key_id: str) -> Any:
        raise AssertionError

    with pytest.raises(IdentityError, match=problem):
        verified_claims(SIGNER.token(**header), balancer(), no_key, AT)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "..",
        TOKEN.rpartition(".")[0],
        f"{HEADER}.{PAYLOAD}.",
        f"{TOKEN}.x",
        f"{TOKEN}\n",
        f" {TOKEN}",
        f"{TOKEN}===",
        f"A.{PAYLOAD}.{SIGNATURE}",
        f"{padded(b'[]')}.{PAYLOAD}.{SIGNATURE}",
        f"{padded(bytes([255]))}.{PAYLOAD}.{SIGNATURE}",
        f"{padded(b'[' * 100_000)}.{PAYLOAD}.{SIGNATURE}",
        f"{HEADER}.{PAYLOAD}.{padded(b'x' * 63)}",
        f"{HEADER}.{PAYLOAD}.{padded(b'x' * 65)}",
        f"{HEADER}.{PAYLOAD}.{padded(bytes(64))}",
        f"{HEADER}.{PAYLOAD}.{padded(b'x' * 64)}",
        f"{HEADER}.{padded(b'{}')}.{SIGNATURE}",
        TOKEN.replace("-", "+").replace("_", "/") + "+",
        OTHER.token(),
        SIGNER.token({}),
        SIGNER.token({"sub": ""}),
        SIGNER.token({"sub": 1}),
        SIGNER.token({"sub": "x" * 256}),
        SIGNER.token([]),
    ],
)
def test_what_is_not_signed_or_names_nobody_is_rejected(token: str) -> None:
    with pytest.raises(IdentityError):
        claims(token)


@given(st.integers(0, len(f"{HEADER}.{PAYLOAD}") - 1), st.sampled_from("AZaz09-_=.+/"))
def test_no_character_of_what_is_signed_can_change(place: int, character: str) -> None:
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    if changed == TOKEN:
        assert claims(changed) == ANN
    else:
        with pytest.raises(IdentityError):
            claims(changed)
