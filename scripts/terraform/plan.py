"""What a plan of Terraform's says, out of `terraform show -json`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SIGNS = {
    ("create",): "+ create ",
    ("update",): "~ update ",
    ("delete",): "- destroy",
    ("delete", "create"): "± replace",
    ("create", "delete"): "± replace",
}

_OUTPUT = "output."


@dataclass(frozen=True)
class Change:
    """One thing that a plan would change, such as `aws_sqs_queue.main`, `("update",)`."""

    address: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{_SIGNS.get(self.actions, '/'.join(self.actions))} {self.address}"


@dataclass(frozen=True)
class Plan:
    """What an apply would do.

    Attributes:
        changes: in Terraform's order.
        outputs: what they would be; those that only the apply can tell are missing.
        variables: the values that went into it, the defaults of the root module among them.
        saved: where Terraform keeps it, while that file is there.
    """

    changes: tuple[Change, ...]
    outputs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    saved: Path | None = None

    @property
    def empty(self) -> bool:
        """Whether an apply would change nothing."""
        return not self.changes

    def __str__(self) -> str:
        resources = [c for c in self.changes if not c.address.startswith(_OUTPUT)]
        outputs = [c.address.removeprefix(_OUTPUT) for c in self.changes if c not in resources]
        lines = [f"  {change}" for change in resources]
        if outputs:
            lines.append(f"  outputs: {', '.join(outputs)}")
        summary = "Only outputs change." if outputs and not resources else _count(len(resources))
        return "\n".join([*lines, summary])


def _count(changes: int) -> str:
    return "1 change." if changes == 1 else f"{changes or 'No'} changes."


def read_plan(shown: Mapping[str, Any], saved: Path) -> Plan:
    """Return the plan that Terraform shows as JSON."""
    changed = [
        *((change["address"], change["change"]) for change in shown.get("resource_changes", ())),
        *((f"{_OUTPUT}{name}", change) for name, change in shown.get("output_changes", {}).items()),
    ]
    outputs = shown.get("planned_values", {}).get("outputs", {})
    return Plan(
        changes=tuple(
            Change(address, tuple(change["actions"]))
            for address, change in changed
            # Reading a data source changes nothing.
            if change["actions"] not in (["no-op"], ["read"])
        ),
        outputs={name: output["value"] for name, output in outputs.items() if "value" in output},
        variables={name: given.get("value") for name, given in shown.get("variables", {}).items()},
        saved=saved,
    )
