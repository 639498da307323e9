from pathlib import Path
from typing import Any

from scripts.terraform.plan import Change, Plan, read_plan

SAVED = Path("saved.tfplan")


def read(**shown: Any) -> Plan:
    return read_plan(shown, SAVED)


def change(address: str, *actions: str) -> dict[str, Any]:
    return {"address": address, "change": {"actions": list(actions)}}


def test_changes_are_those_of_resources_and_outputs() -> None:
    plan = read(
        resource_changes=[
            change("aws_sns_topic.main", "update"),
            change("aws_sqs_queue.main", "delete", "create"),
            change("aws_sqs_queue.dead", "no-op"),
            change("data.aws_region.here", "read"),
        ],
        output_changes={"url": {"actions": ["create"]}, "arn": {"actions": ["no-op"]}},
    )
    assert plan.changes == (
        Change("aws_sns_topic.main", ("update",)),
        Change("aws_sqs_queue.main", ("delete", "create")),
        Change("output.url", ("create",)),
    )
    assert not plan.empty
    assert str(plan).splitlines() == [
        "  ~ update  aws_sns_topic.main",
        "  ± replace aws_sqs_queue.main",
        "  outputs: url",
        "2 changes.",
    ]


def test_nothing_to_do() -> None:
    plan = read()
    assert plan.empty
    assert str(plan) == "No changes."


def test_changes_of_outputs_alone_are_changes() -> None:
    plan = read(output_changes={"url": {"actions": ["create"]}})
    assert not plan.empty
    assert str(plan) == "  outputs: url\nOnly outputs change."


def test_outputs_that_only_the_apply_can_tell_are_missing() -> None:
    outputs = {
        "platform": {"sensitive": False, "value": "linux/arm64"},
        "image": {"sensitive": False, "value": None},
        "repository_url": {"sensitive": False},
    }
    plan = read(planned_values={"outputs": outputs}, variables={"region": {"value": "eu-west-1"}})
    assert plan.outputs == {"platform": "linux/arm64", "image": None}
    assert plan.variables == {"region": "eu-west-1"}
    assert plan.saved == SAVED


def test_no_value_is_in_its_representation() -> None:
    plan = read(variables={"secret": {"value": "hush"}})
    assert "hush" not in repr(plan)


def test_a_change_knows_what_it_changes() -> None:
    shown = {"address": "aws_sqs_queue.main", "type": "aws_sqs_queue"}
    before, after = {"name": "old"}, {"name": "new"}
    change_ = {"actions": ["delete", "create"], "before": before, "after": after}
    (found,) = read(resource_changes=[shown | {"change": change_}]).changes
    assert (found.kind, found.before, found.after) == ("aws_sqs_queue", before, after)
    assert (found.deletes, found.creates) == (True, True)
    (created,) = read(
        resource_changes=[shown | {"change": {"actions": ["create"], "before": None}}]
    ).changes
    assert (created.before, created.deletes, created.creates) == ({}, False, True)
    assert "new" not in repr(found)


def test_what_is_only_imported_is_a_change() -> None:
    imported = change("aws_sqs_queue.main", "no-op")
    imported["change"]["importing"] = {"id": "https://sqs/main"}
    plan = read(resource_changes=[imported])
    assert str(plan) == (
        "  = import  aws_sqs_queue.main\n1 change: 1 imported, none deleted or replaced."
    )


def test_what_is_imported_and_changed_says_both() -> None:
    changes = [
        change("aws_sqs_queue.main", "update"),
        change("aws_sns_topic.main", "delete", "create"),
        change("aws_sqs_queue.dead", "create"),
    ]
    for imported in changes[:2]:
        imported["change"]["importing"] = {"id": "x"}
    assert str(read(resource_changes=changes)).splitlines() == [
        "  ~ update  aws_sqs_queue.main (imported)",
        "  ± replace aws_sns_topic.main (imported)",
        "  + create  aws_sqs_queue.dead",
        "3 changes: 2 imported, 1 deleted or replaced.",
    ]


def test_what_terraform_only_forgets_is_a_change_that_deletes_nothing() -> None:
    plan = read(resource_changes=[change("aws_ses_domain_identity.this", "forget")])
    assert str(plan) == "  . forget  aws_ses_domain_identity.this\n1 change."
    assert not plan.changes[0].deletes
