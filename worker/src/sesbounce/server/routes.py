"""The routes: which there are, which scope each needs, what it takes and what it answers.

The server, the OpenAPI document and the tests read this one table.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from sesbounce.policy.gate import SendingAnswer
from sesbounce.server import messages as m
from sesbounce.server.service import Call, Service
from sesbounce.store.lookup import Answer
from sesbounce.store.tokens import Scope


class Operation(NamedTuple):
    """One method of one route.

    Attributes:
        method: the HTTP method.
        path: the path, as OpenAPI writes it.
        scope: the scope that a token needs; None where no token is needed.
        summary: what it does, in a sentence.
        handle: does it.
        answer: the struct of the answer.
        query: the struct of the parameters.
        body: the struct of the body; None where the route takes none.
        body_required: whether there must be a body.
        once: whether the route takes an Idempotency-Key.
    """

    method: str
    path: str
    scope: Scope | None
    summary: str
    handle: Callable[[Service, Call], Any]
    answer: type[msgspec.Struct]
    query: type[msgspec.Struct] = m.NoQuery
    body: type[msgspec.Struct] | None = None
    body_required: bool = False
    once: bool = False

    @property
    def id(self) -> str:
        """A name that no other operation has."""
        return self.handle.__name__


OPERATIONS = (
    Operation(
        "POST",
        "/v1/check",
        Scope.CHECK,
        "Check whether addresses may be mailed, up to 10,000 at once.",
        Service.check,
        m.Answers,
        body=m.CheckBody,
        body_required=True,
    ),
    Operation(
        "GET",
        "/v1/suppressions/{address}",
        Scope.CHECK,
        "Check whether one address may be mailed; of an unknown address the answer is yes.",
        Service.verdict,
        Answer,
        query=m.StreamQuery,
    ),
    Operation(
        "PUT",
        "/v1/suppressions/{address}",
        Scope.DECIDE,
        "Suppress an address until somebody allows it.",
        Service.suppress,
        m.Decided,
        body=m.DecisionBody,
        once=True,
    ),
    Operation(
        "DELETE",
        "/v1/suppressions/{address}",
        Scope.DECIDE,
        "Allow an address, whatever is recorded against it so far.",
        Service.allow,
        m.Decided,
        query=m.DecisionQuery,
        once=True,
    ),
    Operation(
        "GET",
        "/v1/suppressions",
        Scope.EXPORT,
        "List the addresses that must not be mailed now.",
        Service.suppressions,
        m.SuppressionPage,
        query=m.ListQuery,
    ),
    Operation(
        "GET",
        "/v1/addresses/{address}/events",
        Scope.READ,
        "List the events about one address.",
        Service.address_events,
        m.EventPage,
        query=m.AddressEventsQuery,
    ),
    Operation(
        "GET",
        "/v1/events",
        Scope.EXPORT,
        "List the events of the log.",
        Service.events,
        m.EventPage,
        query=m.EventsQuery,
    ),
    Operation(
        "GET",
        "/v1/stats",
        Scope.READ,
        "Count bounces, complaints and deliveries by group.",
        Service.stats,
        m.Statistics,
        query=m.StatsQuery,
    ),
    Operation(
        "GET",
        "/v1/incidents",
        Scope.READ,
        "List the outages of mailbox providers.",
        Service.incidents,
        m.IncidentList,
    ),
    Operation(
        "GET",
        "/v1/sending",
        # A program that sends learns whether it may; only with `read` it gets the numbers as well.
        Scope.CHECK,
        "Say whether mail may be sent, by the rates of hard bounces and complaints.",
        Service.sending,
        SendingAnswer,
        query=m.SendingQuery,
    ),
    Operation(
        "GET",
        "/healthz",
        None,
        "Say whether the server and its database answer.",
        Service.health,
        m.Health,
    ),
)
