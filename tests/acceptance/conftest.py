"""One console for all the tests here that need it, which takes seconds, and browsers for it."""

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer
from playwright.sync_api import Browser, sync_playwright

from scripts.local import localstack
from tests import chromium
from tests.acceptance.console_process import Console, dead_letters, make_data
from tests.ports import LOOPBACK


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    moto = ThreadedMotoServer(LOOPBACK, 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    aws = f"http://{host}:{port}"
    settings = {**localstack.environment(aws), "SESBOUNCE_QUEUE_URL": dead_letters(aws)}
    file = tmp_path_factory.mktemp("console") / "sesbounce.sqlite3"
    started = Console(file, make_data(file), settings)
    yield started
    started.end()
    moto.stop()


# Of a module: playwright runs an event loop in this thread, and other tests have one of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = chromium.executable()
        # Chromium's own sandbox does not work for root, as whom tests run in containers.
        with playwright.chromium.launch(executable_path=path, args=["--no-sandbox"]) as launched:
            yield launched
