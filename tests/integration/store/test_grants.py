"""docs/database.md lists the grants that the worker needs: they are enough."""

import json
import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.errors import StoreError
from sesbounce.feedback.decode import decode
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.operations.retention import prune
from sesbounce.policy.incident import Incident
from sesbounce.policy.verdict import Policy
from sesbounce.store import migrate, outbox
from sesbounce.store.engine import open_database, write
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.lookup import Lookup
from sesbounce.store.outbox import Outbox
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.databases.products import Kind
from tests.databases.servers import empty_database
from tests.support import AT, disposed, mail, said

DOCS = Path(__file__).parents[3] / "docs" / "database.md"
STRIKE_OFF = "UPDATE member SET mailable = 0 WHERE lower(email) = :address"


def documented(product: str) -> list[str]:
    text = DOCS.read_text(encoding="utf-8").partition(f"\n{product}:\n")[2]
    block = text.partition("```sql\n")[2].partition("```")[0]
    block = re.sub(r"--.*", "", block)
    return [each.strip() for each in block.split(";") if each.strip()]


@pytest.mark.parametrize(
    ("kind", "product"), [("postgresql", "PostgreSQL"), ("mariadb", "MySQL and MariaDB")]
)
def test_the_documented_grants_are_enough(
    server_urls: Callable[[Kind], str], kind: Kind, product: str
) -> None:
    role = f"w{secrets.token_hex(6)}"
    with empty_database(server_urls(kind)) as url, disposed(open_database(url)) as owner:
        name = sa.make_url(url).database
        migrate.upgrade(owner)
        created = (
            "CREATE ROLE {} LOGIN PASSWORD 'x'"
            if kind == "postgresql"
            else ("CREATE USER {} IDENTIFIED BY 'x'")
        )
        with write(owner) as connection:
            connection.exec_driver_sql("CREATE TABLE member (email VARCHAR(99), mailable INT)")
            connection.exec_driver_sql("INSERT INTO member VALUES ('jane@example.com', 1)")
            connection.exec_driver_sql(created.format(role))
            for sql in documented(product):
                connection.exec_driver_sql(
                    sql.replace("TO sesbounce", f"TO {role}").replace(" app.", f" {name}.")
                )
        its_own = sa.make_url(url).set(username=role, password="x")
        text = its_own.render_as_string(hide_password=False)
        try:
            with disposed(open_database(text)) as engine:
                store = Store(engine, Policy(), StrikeOff(STRIKE_OFF), Outbox(["webhook"]))
                store.prepare(migrate=False)
                message = decode(json.dumps(said(Scenario.BOUNCE, mail())))
                assert store.record([message], AT).struck_rows == 1
                store.sweep(AT)
                incidents = Incidents(store)
                outage = Incident(provider="example.com", begins=AT)
                incidents.save(new(outage, AT, IncidentStatus.CONFIRMED, "", "ann"), AT)
                assert incidents.sweep(AT).current == 1
                assert outbox.stop(engine, "webhook", "it is gone") == 1
                assert outbox.stop(engine, "webhook", "it is gone") == 0
                assert outbox.stopped(engine, "webhook") == "it is gone"
                assert [row["due_at"] for row in outbox.waiting(engine)] == [None]
                assert outbox.due(engine, "webhook", AT) == []
                assert outbox.retry(engine, ["webhook"], AT, "ann") == 1
                assert outbox.stopped(engine, "webhook") is None
                (entry,) = outbox.due(engine, "webhook", AT)
                assert outbox.claim(engine, entry, AT)
                outbox.remove(engine, entry, AT)
                assert not Lookup(engine).check("jane@example.com", AT).may_mail
                with engine.connect() as connection:
                    assert connection.exec_driver_sql("SELECT address FROM suppressed").all()
                prune(engine, AT + timedelta(days=9000))
                with pytest.raises(StoreError):
                    migrate.downgrade(engine, "base")
        finally:
            with write(owner) as connection:
                if kind == "postgresql":
                    connection.exec_driver_sql(f"DROP OWNED BY {role}")
                connection.exec_driver_sql(
                    f"DROP {'ROLE' if kind == 'postgresql' else 'USER'} {role}"
                )
