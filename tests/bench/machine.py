"""On what a benchmark ran: the machine, and the versions of what took part."""

import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path

import msgspec

_PACKAGES = (
    "boto3",
    "botocore",
    "urllib3",
    "SQLAlchemy",
    "msgspec",
    "aws-lambda-powertools",
    "sqs-workers",
    "kombu",
    "aiobotocore",
)


class Machine(msgspec.Struct, frozen=True):
    """A machine and its software.

    Attributes:
        cpu: the processor's name.
        cores: how many this process may use.
        system: the operating system and its release.
        python: Python's version.
        sqlite: SQLite's version.
        packages: versions by the name of the package.
        load: how many processes wanted a core in the minute before, on average.
    """

    cpu: str
    cores: int
    system: str
    python: str
    sqlite: str
    packages: dict[str, str]
    load: float


def this_machine() -> Machine:
    """The machine that this runs on."""
    return Machine(
        cpu=cpu_name(),
        cores=len(os.sched_getaffinity(0)),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        packages={name: version(name) for name in _PACKAGES},
        load=os.getloadavg()[0],
    )


def cpu_name() -> str:
    """The processor's name, as Linux tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
