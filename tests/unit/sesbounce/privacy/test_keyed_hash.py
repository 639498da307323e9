import hashlib
import hmac

import pytest

from sesbounce.errors import ConfigurationError
from sesbounce.feedback.address import parse
from sesbounce.privacy.keyed_hash import HashKeys, is_forgotten

NEW, OLD = "n" * 32, "o" * 32
KEYS = HashKeys([NEW, OLD])
JANE = "jane@example.com"


def test_the_pseudonym_is_an_hmac_that_anybody_with_the_key_can_compute() -> None:
    names = [hashed.pseudonym for hashed in KEYS.hashes(JANE)]
    by_hand = [hmac.new(k.encode(), JANE.encode(), hashlib.sha256).hexdigest() for k in (NEW, OLD)]
    assert names == [f"HMAC-SHA256:{digest}" for digest in by_hand]
    assert HashKeys().hashes(JANE) == []
    assert (bool(KEYS), bool(HashKeys())) == (True, False)


@pytest.mark.parametrize("suffix", ["", "@example.com", "\0", " <x>"])
def test_no_address_has_the_key_of_a_forgotten_one(suffix: str) -> None:
    (name, _) = [hashed.pseudonym for hashed in KEYS.hashes(JANE)]
    assert is_forgotten(name)
    assert not is_forgotten(parse(name + suffix).key)


def test_a_missing_key_is_an_error() -> None:
    new, old = KEYS.checks
    KEYS.require("")
    KEYS.require(f"{old},{new}")
    HashKeys().require("")
    for keys in (HashKeys([NEW]), HashKeys(), HashKeys(["x" * 32])):
        with pytest.raises(ConfigurationError, match="SESBOUNCE_HASH_KEY does not hold"):
            keys.require(f"{old},{new}")
    assert not {NEW, OLD} & {new, old}


def test_nothing_links_the_events_of_two_addresses() -> None:
    jane, mary = (KEYS.hashes(address)[0] for address in (JANE, "mary@example.com"))
    assert jane.digest("mail-1") == jane.digest("mail-1")
    assert jane.digest("mail-1") != mary.digest("mail-1")
