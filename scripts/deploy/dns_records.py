"""Prints the DNS records that a person has to create for SES, as lines of a zone file."""

from collections.abc import Iterator, Mapping
from typing import Any

OUTPUT = "dns_records"


def lines(outputs: Mapping[str, Any]) -> Iterator[str]:
    """The records of each created domain that Terraform has not created itself.

    Args:
        outputs: the outputs of the stack.
    """
    for domain, records in outputs.get(OUTPUT, {}).items():
        missing = [record for record in records if not record["created"]]
        if missing:
            yield f"; DNS records of {domain}, if its DNS does not have them yet:"
            yield from (f"{_line(record)} ; {record['purpose']}" for record in missing)


def _line(record: Mapping[str, Any]) -> str:
    """A record in the form of RFC 1035, section 5.1, with absolute names."""
    value = f'"{record["value"]}"' if record["type"] == "TXT" else f"{record['value']}."
    return f"{record['name']}. {record['ttl']} IN {record['type']} {value}"
