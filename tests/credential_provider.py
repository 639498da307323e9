"""A program that gives boto3 other credentials at each call, all of which soon expire.

https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sourcing-external.html
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from botocore.credentials import Credentials

from tests.sqs_server import Answer, Call

# boto3 asks for new credentials in the last ten minutes of the old ones: here, for each call. A
# test must not take as long as this.
_LIFE = timedelta(minutes=9)
_PROGRAM = """\
#!/bin/sh -e
read number < {number}
number=$((number + 1))
echo $number > {number}
cat <<END
{{"Version": 1, "AccessKeyId": "AKID$number", "SecretAccessKey": "secret$number",
"SessionToken": "token$number", "Expiration": "{expiration}"}}
END
"""


@dataclass(frozen=True)
class CredentialProvider:
    """The program.

    Attributes:
        config: AWS's configuration, which names the program.
        number: the file of the number of its last call, without which the program fails.
    """

    config: Path
    number: Path

    @classmethod
    def make(cls, folder: Path) -> "CredentialProvider":
        program, number, config = (folder / name for name in ("provider", "number", "config"))
        expiration = (datetime.now(UTC) + _LIFE).isoformat()
        program.write_text(_PROGRAM.format(number=number, expiration=expiration), encoding="utf-8")
        program.chmod(0o700)
        number.write_text("0\n", encoding="ascii")
        config.write_text(f"[default]\ncredential_process = {program}\n", encoding="utf-8")
        return cls(config, number)

    @property
    def calls(self) -> int:
        return int(self.number.read_text(encoding="ascii"))

    def reject_older(self, call: Call) -> Answer | None:
        """What AWS answers to a call that is not signed by the newest credentials."""
        newest = call.is_signed_by(_credentials(self.calls))
        return None if newest else Answer.error(403, "ExpiredToken")

    @staticmethod
    def has_signed(call: Call) -> bool:
        """Whether key, secret and token of a call belong together."""
        return call.is_signed_by(_credentials(int(call.key_id.removeprefix("AKID"))))


def _credentials(number: int) -> Credentials:
    """The credentials that the program gives at its call of this number."""
    return Credentials(f"AKID{number}", f"secret{number}", f"token{number}")
