"""Shows what SES itself recommends for the identities: DKIM, DMARC, SPF, BIMI and rates.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListRecommendations.html
"""

from collections.abc import Iterator

import boto3

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, hint, setting


def recommendations(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """SES has no open recommendation for an identity of the wiring."""
    client = session.client("sesv2")
    token: dict[str, str] = {}
    while True:
        answer = client.list_recommendations(Filter={"STATUS": "OPEN"}, PageSize=100, **token)
        for found in answer.get("Recommendations", []):
            name = found.get("ResourceArn", "").rpartition("/")[2]
            if name in wiring.identities:
                weight = hint if found.get("Impact") == "HIGH" else setting
                yield weight(
                    f"SES recommends {found.get('Type', 'something')} for {name}",
                    str(found.get("Description") or "SES gives no reason").rstrip("."),
                    "Follow it in the SES console, under Virtual Deliverability Manager",
                )
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}
