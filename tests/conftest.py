"""Runs tests side by side; says which of them are slow, and what they share.

`pytest -n 6` runs them in six processes. Tests that share a server or a stack are a group: one
process runs all of it, in the order of the files. A file that is in no group is one of its own.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from scripts.local import localstack
from scripts.setup.once import locked
from tests import corpus

# A machine that runs all tests side by side says nothing about the time of one example.
hypothesis.settings.register_profile(
    "side by side", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("side by side")

# Go spends a third of the time of Terraform on collecting garbage, to save memory that the tests do
# not need: below the limit it collects seldom.
os.environ.setdefault("GOGC", "1200")
os.environ.setdefault("GOMEMLIMIT", "600MiB")

# Tests, files and folders in the order in which they run. The longest groups come first, so that no
# process is left with one of them when the others have ended. A process gets its next group when
# two tests of its present one are left, so a group does not end with its longest test.
GROUPS = {
    "modules": ("terraform/test_terraform_static.py",),
    "whole stack": (
        "terraform/whole_stack/test_from_nothing.py",
        "terraform/whole_stack/test_changes.py",
        "terraform/whole_stack/test_destroy.py",
        "terraform/test_function_stack.py",
    ),
    "deploy": ("integration/test_deploy_stack.py",),
    "stack": (
        "integration/test_deploy_wiring.py",
        "integration/test_stack.py",
        "integration/test_path.py",
        "integration/test_scripts.py",
        "integration/test_signatures.py",
        "integration/test_secrets.py",
    ),
    "image": ("integration/test_image.py",),
    "deploy to AWS": ("integration/test_deploy_aws.py",),
    "databases": (
        "integration/faults/test_database_faults.py",
        "integration/faults/test_soak.py",
        "integration/store",
        "integration/test_databases.py",
    ),
    "demo": (
        "integration/test_scripts.py::test_the_demo_runs_twice_and_leaves_nothing_behind",
        "integration/test_stack.py::test_the_example_for_localstack_applies",
        "integration/test_contestants.py",
    ),
    "localstack": ("integration/test_localstack.py",),
    "faults": ("integration/faults",),
    "terraform": ("terraform",),
    # The longest of the others.
    "console": ("acceptance/test_console.py", "acceptance/test_console_flows.py"),
    "streams": ("acceptance/test_streams.py",),
    "unverified": ("unit/sesbounce/worker/test_unverified.py",),
    "webhook": ("unit/sesbounce/outbound/test_webhook.py",),
}
# Where most tests take more than five seconds, or one takes much more.
SLOW = (
    "integration/faults",
    "integration/test_deploy_aws.py",
    "integration/test_deploy_stack.py",
    "integration/test_deploy_wiring.py",
    "integration/test_image.py",
    "integration/test_localstack.py",
    "integration/test_path.py",
    "integration/test_scripts.py",
    "integration/test_stack.py",
    "terraform/test_function_stack.py",
    "terraform/test_terraform_static.py",
    "terraform/whole_stack",
)

# Three times what the longest of them takes on two cores that all the others share.
_SLOW_TIMEOUT_SECONDS = 2400


def places(nodeid: str) -> list[str]:
    """A test, its file and the folders that hold it, by their names in GROUPS and SLOW."""
    file, _, name = nodeid.removeprefix("tests/").partition("::")
    return [f"{file}::{name.partition('[')[0]}", file, *map(str, Path(file).parents)]


GROUP_OF = {place: group for group, members in GROUPS.items() for place in members}


def group_of(nodeid: str) -> str:
    """The group that names the test, else its file, else the folder nearest to it."""
    around = places(nodeid)
    return next((GROUP_OF[place] for place in around if place in GROUP_OF), around[1])


class ByGroup(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a group to a process. (xdist's own `loadgroup` finds no groups on pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByGroup:
    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {place: number for number, place in enumerate(GROUP_OF)}
    items.sort(key=lambda i: next((order[p] for p in places(i.nodeid) if p in order), len(order)))
    for item in items:
        if not set(SLOW).isdisjoint(places(item.nodeid)):
            item.add_marker("slow")
            item.add_marker(pytest.mark.timeout(_SLOW_TIMEOUT_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a skipped test fail in CI, where nobody would notice that it did not run."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
        if corpus.MISSING not in reason:  # it is not published
            report.outcome, report.longrepr = "failed", f"{reason} (and CI=true)"
    return report


# --- What the processes of a run share ----------------------------------------------------------

_RUN_FOLDER = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    given: Any = getattr(config, "workerinput", None)
    folder = given["run_folder"] if given else tempfile.mkdtemp(prefix="sesbounce-run-")
    config.stash[_RUN_FOLDER] = Path(folder)


def pytest_configure_node(node: Any) -> None:
    """Tell a process of the folder before it starts."""
    node.workerinput["run_folder"] = str(node.config.stash[_RUN_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the LocalStack that they shared, even if the run was interrupted."""
    if not hasattr(config, "workerinput"):  # the process that started the others, or the only one
        localstack.stop(config.stash[_RUN_FOLDER])
        shutil.rmtree(config.stash[_RUN_FOLDER])


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    # The process that started the others collects nothing.
    in_turn = hasattr(session.config, "workerinput")
    with _first_alone(session.config.stash[_RUN_FOLDER]) if in_turn else nullcontext(), _kept():
        return (yield)


@contextmanager
def _first_alone(folder: Path) -> Iterator[None]:
    """Let one process collect before the others: it compiles all modules, and they load that."""
    compiled = folder / "compiled"
    with locked(folder / "compiling", waiting=lambda: None):
        if first := not compiled.exists():
            yield
            compiled.touch()
    if not first:
        yield


@contextmanager
def _kept() -> Iterator[None]:
    """Keep the garbage collector from what the block makes: thousands of tests, none is garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def run_folder(pytestconfig: pytest.Config) -> Path:
    """A folder that all processes of a run have in common."""
    return pytestconfig.stash[_RUN_FOLDER]
