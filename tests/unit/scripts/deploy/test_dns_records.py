from typing import Any

from scripts.deploy.dns_records import lines


def record(type_: str, name: str, value: str, *, created: bool = False) -> dict[str, Any]:
    return {
        "purpose": "DKIM",
        "name": name,
        "type": type_,
        "ttl": 1800,
        "value": value,
        "created": created,
    }


def test_the_records_are_lines_of_a_zone_file() -> None:
    records = [
        record("CNAME", "t._domainkey.example.com", "t.dkim.amazonses.com"),
        record("MX", "bounce.example.com", "10 feedback-smtp.eu-west-1.amazonses.com"),
        record("TXT", "_dmarc.example.com", "v=DMARC1; p=none;"),
    ]
    assert list(lines({"dns_records": {"example.com": records}})) == [
        "; DNS records of example.com, if its DNS does not have them yet:",
        "t._domainkey.example.com. 1800 IN CNAME t.dkim.amazonses.com. ; DKIM",
        "bounce.example.com. 1800 IN MX 10 feedback-smtp.eu-west-1.amazonses.com. ; DKIM",
        '_dmarc.example.com. 1800 IN TXT "v=DMARC1; p=none;" ; DKIM',
    ]


def test_records_that_terraform_creates_are_left_out() -> None:
    made = record("CNAME", "t._domainkey.example.com", "t.dkim.amazonses.com", created=True)
    missing = record("TXT", "_dmarc.example.com", "v=DMARC1; p=none;")
    assert len(list(lines({"dns_records": {"example.com": [made, missing]}}))) == 2
    assert list(lines({"dns_records": {"example.com": [made]}})) == []
    assert list(lines({})) == []
