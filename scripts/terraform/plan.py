"""What a plan of Terraform's says, out of `terraform show -json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SIGNS = {
    ("create",): "+ create ",
    ("update",): "~ update ",
    ("delete",): "- destroy",
    ("delete", "create"): "± replace",
    ("create", "delete"): "± replace",
    ("import",): "= import ",
    ("forget",): ". forget ",
}

_OUTPUT = "output."


@dataclass(frozen=True)
class Change:
    """One thing that a plan would change, such as `aws_sqs_queue.main`, `("update",)`.

    Attributes:
        kind: the type of the resource, such as `aws_sqs_queue`; empty for an output.
        before: the resource's attributes; empty for one that is created.
        after: what they would be; those that only the apply can tell are missing.
        imported: whether an `import` block first takes over a resource that exists.
    """

    address: str
    actions: tuple[str, ...]
    kind: str = field(default="", compare=False)
    before: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    after: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    imported: bool = field(default=False, compare=False)

    @property
    def deletes(self) -> bool:
        """Whether the resource is deleted, for good or to be replaced."""
        return "delete" in self.actions

    @property
    def creates(self) -> bool:
        """Whether a resource is created, the first one or a replacement."""
        return "create" in self.actions

    def __str__(self) -> str:
        imported = " (imported)" if self.imported and self.actions != ("import",) else ""
        return f"{_SIGNS.get(self.actions, '/'.join(self.actions))} {self.address}{imported}"


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
        summary = "Only outputs change." if outputs and not resources else _count(resources)
        return "\n".join([*lines, summary])


def _count(changes: Sequence[Change]) -> str:
    count = "1 change" if len(changes) == 1 else f"{len(changes) or 'No'} changes"
    if not (imported := sum(change.imported for change in changes)):
        return f"{count}."
    lost = sum(change.deletes for change in changes)
    return f"{count}: {imported} imported, {lost or 'none'} deleted or replaced."


def read_plan(shown: Mapping[str, Any], saved: Path) -> Plan:
    """Return the plan that Terraform shows as JSON."""
    changes = [
        *(_resource_change(change) for change in shown.get("resource_changes", ())),
        *(
            Change(f"{_OUTPUT}{name}", tuple(change["actions"]))
            for name, change in shown.get("output_changes", {}).items()
        ),
    ]
    outputs = shown.get("planned_values", {}).get("outputs", {})
    return Plan(
        # Reading a data source changes nothing.
        changes=tuple(c for c in changes if c.actions not in (("no-op",), ("read",))),
        outputs={name: output["value"] for name, output in outputs.items() if "value" in output},
        variables={name: given.get("value") for name, given in shown.get("variables", {}).items()},
        saved=saved,
    )


def _resource_change(shown: Mapping[str, Any]) -> Change:
    change = shown["change"]
    actions = tuple(change["actions"])
    if actions == ("no-op",) and change.get("importing"):
        actions = ("import",)
    return Change(
        shown["address"],
        actions,
        kind=shown.get("type", ""),
        before=change.get("before") or {},
        after=change.get("after") or {},
        imported=bool(change.get("importing")),
    )
