"""An incident: a provider's outage, during which its hard bounces prove nothing.

On 14 and 15 December 2020 Gmail answered `550-5.1.1 … does not exist` for mailboxes that exist. A
hard bounce inside an incident, of an address that has had a delivery before, counts as a soft one.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from sesbounce.feedback.provider import provider_of
from sesbounce.policy.state import Evidence


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident, as it changes verdicts.

    Attributes:
        provider: the provider (see `sesbounce.feedback.provider`), or the domain.
        begins: when it began, UTC.
        ends: when it ended, UTC; None while it goes on.
    """

    provider: str
    begins: datetime
    ends: datetime | None = None

    def holds_at(self, moment: datetime) -> bool:
        """Whether the incident goes on at a time; the end itself is outside."""
        return self.begins <= moment and (self.ends is None or moment < self.ends)

    def covers(self, evidence: Evidence, address: str) -> bool:
        """Whether a hard bounce of an address is inside the incident."""
        if not self.holds_at(evidence.at):
            return False
        domain = address.rpartition("@")[2]
        return self.provider in {domain, provider_of(domain), evidence.provider}


def covering(incidents: Iterable[Incident], evidence: Evidence, address: str) -> Incident | None:
    """The first of the incidents that covers a hard bounce of an address."""
    return next((one for one in incidents if one.covers(evidence, address)), None)
