"""Roles: what people call the sets of scopes that a token may have."""

from collections.abc import Mapping

from sesbounce.server.access import Caller
from sesbounce.store.tokens import Scope

# The later ones may do more. A token may have any other set: scopes alone decide what is permitted.
ROLES: Mapping[str, frozenset[Scope]] = {
    "viewer": frozenset({Scope.CHECK, Scope.READ}),
    "support": frozenset({Scope.CHECK, Scope.READ, Scope.DECIDE}),
    "operator": frozenset({Scope.CHECK, Scope.READ, Scope.DECIDE, Scope.EXPORT}),
    "admin": frozenset({Scope.ADMIN}),
}
OTHER = "other"


def role_of(caller: Caller) -> str:
    """The last role whose scopes a person has; `other` where there is none."""
    found = [role for role, scopes in ROLES.items() if all(map(caller.permits, scopes))]
    return found[-1] if found else OTHER
