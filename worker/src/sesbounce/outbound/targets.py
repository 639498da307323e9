"""The targets of the outbox: another database, and SES's own suppression list."""

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.exc import SQLAlchemyError

from sesbounce.aws.clients import open_client
from sesbounce.database_password import PasswordSource
from sesbounce.errors import DeliveryError, StoreError, TransactionEndedError
from sesbounce.feedback.kind import Kind
from sesbounce.store.driver_errors import cause, is_conflict
from sesbounce.store.engine import open_database, translated, write
from sesbounce.store.outbox import OutboxEntry
from sesbounce.store.strike_off import StrikeOff

if TYPE_CHECKING:
    from types_boto3_sesv2.client import SESV2Client

_TIMEOUT_SECONDS = 5
_ATTEMPTS = 3
# To connect to a database that answers slowly.
_CONNECT_SECONDS = 10.0

log = logging.getLogger(__name__)


class OtherDatabase:
    """The sender's tables, if they are in another database than sesbounce's."""

    name = "database"

    def __init__(self, engine: sa.Engine, strike_off: StrikeOff) -> None:
        self._engine = engine
        self._strike_off = strike_off
        self.longest_seconds = _CONNECT_SECONDS + strike_off.seconds

    @classmethod
    def open(
        cls,
        url: str,
        strike_off: StrikeOff,
        passwords: PasswordSource | None = None,
        *,
        alone: bool = False,
    ) -> Self:
        """Open the database at `url`, and check the statements there.

        Args:
            url: the URL of the database.
            strike_off: the statements.
            passwords: where each new connection gets its password, if the URL holds none.
            alone: as `open_database` takes it.

        Raises:
            ConfigurationError: the text is not a database URL.
            StoreError: the database can't be reached.
            StrikeOffError: a statement does not fit the tables.
        """
        variable = "SESBOUNCE_STRIKE_OFF_DATABASE_URL"
        try:
            engine = open_database(
                url, create=False, alone=alone, variable=variable, passwords=passwords
            )
        except StoreError:
            raise StoreError(f"{variable} names a SQLite file that is not there") from None
        other = cls(engine, strike_off)
        with ExitStack() as stack:
            stack.callback(other.close)
            with (
                translated("the strike-off database can't be used"),
                engine.connect() as connection,
            ):
                for warning in strike_off.check(connection):
                    log.warning("statement is slow: %s", warning)
            stack.pop_all()
        return other

    def deliver(self, entry: OutboxEntry) -> None:
        """Run the statements for the address in one transaction."""
        run = self._strike_off.strike_off if entry.suppressed else self._strike_off.restore
        try:
            with write(self._engine) as connection:
                rejected = run(connection, [entry.parameters]).rejected
        except TransactionEndedError as error:
            raise DeliveryError(str(error)) from error
        except StoreError as error:
            raise DeliveryError(str(error), unreachable=True) from error
        except SQLAlchemyError as error:
            raise DeliveryError(cause(error), unreachable=not is_conflict(error)) from error
        if rejected:
            raise DeliveryError(next(iter(rejected.values())))

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()


class SesSuppressionList:
    """SES's suppression list of the account: SES does not attempt to send mail to its addresses.

    sesbounce puts only suppressions without an end on the list, and removes only these: SES answers
    each mail to an address on the list with a bounce, which would prolong a suppression for a time.
    The list is case-sensitive, so the address goes there as SES wrote it.
    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html
    """

    name = "ses"
    # Each attempt waits for the connection, and then for the answer.
    longest_seconds = _ATTEMPTS * 2.0 * _TIMEOUT_SECONDS

    def __init__(self, client: "SESV2Client") -> None:
        self._client = client

    @classmethod
    def open(cls) -> Self:
        """Open the list of the account and region in boto3's settings.

        Raises:
            ConfigurationError: the region is missing, or the endpoint is not a URL.
        """
        # Adaptive: the client itself limits its calls to the rate that SES allows.
        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS},
            connect_timeout=_TIMEOUT_SECONDS,
            read_timeout=_TIMEOUT_SECONDS,
        )
        return cls(open_client("sesv2", config))

    def deliver(self, entry: OutboxEntry) -> None:
        """Put the address on the list, or remove it."""
        if not entry.for_good:
            return
        address = entry.parameters["original"]
        bounced = entry.parameters["kind"] == Kind.BOUNCE
        try:
            if entry.suppressed:
                self._client.put_suppressed_destination(
                    EmailAddress=address, Reason="BOUNCE" if bounced else "COMPLAINT"
                )
            else:
                self._client.delete_suppressed_destination(EmailAddress=address)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NotFoundException":  # the address is not on the list
                return
            final = code == "BadRequestException"
            raise DeliveryError(
                f"SES rejects the call: {code}", unreachable=not final, final=final
            ) from error
        except BotoCoreError as error:
            problem = f"SES can't be reached: {type(error).__name__}"
            raise DeliveryError(problem, unreachable=True) from error
