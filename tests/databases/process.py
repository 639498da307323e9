"""A server as a process of this machine's own programs."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.databases.errors import ServerError
from tests.databases.products import Home, Product, Started
from tests.databases.programs import path
from tests.ports import free_port

_INITIALISE_SECONDS = 300.0
_STOP_SECONDS = 60.0
_LOG_LINES = 15


@contextmanager
def process(
    product: Product, programs: list[str], folder: Path, password: str
) -> Iterator[Started]:
    log = folder / f"{product.name}.log"
    home = _make_home(product, folder)
    try:
        home.secret.touch(0o600)
        home.secret.write_text(product.secret.format(password=password), encoding="ascii")
        _give(home.secret, home.owner)
        _initialise(product, [programs[0], *product.initialise(home)], home, log)
        port = free_port()
        serve = [programs[1], *product.serve(home, port), *product.options]
        server = _spawn([*_end_with_us(product), *serve], home, log)
        try:
            yield Started(port, lambda: server.poll() is None, lambda: _tail(log))
        finally:
            _end(server, product.stop)
    finally:
        shutil.rmtree(home.folder)


def _initialise(product: Product, command: list[str], home: Home, log: Path) -> None:
    running = _spawn(command, home, log)
    try:
        code: int | None = running.wait(_INITIALISE_SECONDS)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        _end(running)
    if code != 0:
        what = "takes too long" if code is None else f"failed ({code})"
        raise ServerError(f"{product.title}: {command[0]} {what}; its last words:\n{_tail(log)}")


def _spawn(command: list[str], home: Home, log: Path) -> subprocess.Popen[bytes]:
    owner = home.owner
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=home.folder,
            # Nothing of PGPORT, MYSQL_HOME and their like; English, should it end in an error.
            env={"PATH": path(), "TMPDIR": str(home.folder), "LC_ALL": "C"},
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
            umask=0o077,
            # Ctrl-C is for the tests, which end the server when they are done with it.
            start_new_session=True,
        )


def _end_with_us(product: Product) -> list[str]:
    """A command in front of the server's, so that it stops should the tests be killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", product.stop[0].name.removeprefix("SIG")] if setpriv else []


def _end(process: subprocess.Popen[bytes], signals: tuple[signal.Signals, ...] = ()) -> None:
    for number in (*signals, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)


def _make_home(product: Product, folder: Path) -> Home:
    home = Home(folder / product.name, owner(product) if os.geteuid() == 0 else None)
    home.folder.mkdir(mode=0o700)
    if not home.owner:
        return home
    _give(home.folder, home.owner)
    folder.chmod(folder.stat().st_mode | 0o011)  # its user must pass, but sees nothing
    reached = subprocess.run(
        ["test", "-w", home.folder],
        user=home.owner.pw_uid,
        group=home.owner.pw_gid,
        extra_groups=[],
        check=False,
    )
    if reached.returncode != 0:
        home.folder.rmdir()
        raise ServerError(
            f"{product.title} does not run as root, and the user {home.owner.pw_name} can't get "
            f"into {folder}: give a folder whose parents let everyone pass (pytest's own do not)"
        )
    return home


def owner(product: Product) -> pwd.struct_passwd:
    """The unprivileged user that a server runs as when root starts it."""
    for name in product.users:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError(f"{product.title} does not run as root; it needs a user {product.users[-1]}")


def _give(file: Path, owner: pwd.struct_passwd | None) -> None:
    if owner:
        os.chown(file, owner.pw_uid, owner.pw_gid)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])
