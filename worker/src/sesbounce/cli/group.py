"""The group of the commands: it turns errors into a line and an exit code."""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from io import BufferedWriter, RawIOBase, TextIOWrapper
from typing import IO, Any, Literal, NoReturn, TextIO

import click

from sesbounce.errors import MissingExtraError, SesBounceError
from sesbounce.extras import needed_by
from sesbounce.telemetry.visible import visible

ERROR = 2
PARTLY_DONE = 3
DECLINED = 4
FAULT = 70  # EX_SOFTWARE of sysexits.h; Python's own 1 would say "may not be mailed"
# Shells report 128 + the number of the signal for a program that a signal has ended.
INTERRUPTED = 130
BROKEN_PIPE = 141

_MEANINGS = {
    "0": "The command succeeded.",
    "1": "",
    "2": "The command failed; standard error says why.",
    "3": "",
    "4": "",
    "70": "sesbounce has a fault; standard error holds the traceback.",
    "128 + n": "",
    "130": "Ctrl-C ended the command.",
    "141": "",
}
# What a stream answers that takes no more. Errors of files have their names, and are not meant.
_STREAM_FAILS = {
    errno.EAGAIN,
    errno.EBADF,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.ENOSPC,
}
_NOBODY_READS = {errno.EPIPE, errno.ECONNRESET}


def exit_codes(meanings: Mapping[str, str] | None = None) -> str:
    """The end of a command's help, which explains its exit codes.

    Args:
        meanings: sentences by exit code, for codes that mean something else in this command; an
            empty one leaves the code out.
    """
    known = {code: (meanings or {}).get(code, usual) for code, usual in _MEANINGS.items()}
    lines = [f"  {code:<7}  {meaning}" for code, meaning in known.items() if meaning]
    return "\n".join(["\b", "Exit codes:", *lines])


class DeclinedError(click.ClickException):
    """A person did not confirm."""

    exit_code = DECLINED

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message as those of all errors."""
        click.echo(f"sesbounce: {self.message}", file=file, err=True)


class InterruptedCommandError(DeclinedError):
    """Ctrl-C ended a command; the message says how far it got, and what a second run does."""

    exit_code = INTERRUPTED


def confirm(question: str) -> None:
    """Ask a person on standard error.

    Raises:
        DeclinedError: the answer is no, or standard input holds no answer.
        KeyboardInterrupt: the answer is Ctrl-C.
    """
    try:
        confirmed = click.confirm(question, err=True)
    except click.Abort as abort:
        # click raises the same for Ctrl-C and for the end of standard input.
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise DeclinedError(
            "no answer on standard input, nothing was changed; --yes answers the question"
        ) from None
    if not confirmed:
        raise DeclinedError("you did not confirm, nothing was changed")


class Commands(click.Group):
    """Turns the errors of sesbounce into one line and an exit code."""

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        """Read the command line, and print the help that it may ask for."""
        _replace_closed_streams()
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout = _whole(sys.stdout)
            # A terminal may lack a character that an address has.
            sys.stdout.reconfigure(errors="backslashreplace")
        with _errors_as_exit_codes():
            return super().make_context(*arguments, **more)

    def invoke(self, context: click.Context) -> Any:
        """Run the command, and turn its errors into exit codes."""
        with _errors_as_exit_codes():
            return super().invoke(context)


class LazyCommands(Commands):
    """Imports a command only when it runs or prints its help: some import a lot.

    A command whose extra is not installed is in the list, and says how to install it.
    """

    def __init__(self, *arguments: Any, places: Mapping[str, str], **more: Any) -> None:
        """Take the places of the commands, and import none of them.

        Args:
            arguments: those of `click.Group`.
            places: the place of each command by its name: `module:object`.
            more: those of `click.Group`.
        """
        super().__init__(*arguments, **more)
        self._places = places

    def list_commands(self, _context: click.Context) -> list[str]:
        """The names of all commands, in alphabetical order."""
        return sorted(self._places)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import one command; `None` if no command has that name."""
        if name not in self._places:
            return None
        module, _, attribute = self._places[name].partition(":")
        try:
            with needed_by(f"the command {name}"):
                command: click.Command = getattr(import_module(module), attribute)
        except MissingExtraError as error:
            return _Unavailable(name, error)
        return command


class _Unavailable(click.Command):
    """Stands for a command whose extra is not installed; whatever its arguments, it says so."""

    def __init__(self, name: str, error: MissingExtraError) -> None:
        super().__init__(
            name,
            callback=self._fail,
            short_help=f"(needs sesbounce[{error.extra}], which is not installed)",
            add_help_option=False,
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        )
        self._error = error

    def _fail(self) -> NoReturn:
        raise self._error


@contextmanager
def _errors_as_exit_codes() -> Iterator[None]:
    """Print an error on standard error, and end with its exit code."""
    try:
        try:
            with needed_by("this command"):
                yield
        finally:
            # A disk may be full only for what the stream still holds.
            _flush_output()
    except SesBounceError as error:
        _end(ERROR, partial(_say, visible(str(error))))
    except click.ClickException as error:
        # click's own 1 would say "may not be mailed".
        _end(max(error.exit_code, ERROR), error.show)
    except (KeyboardInterrupt, click.Abort):
        _end(INTERRUPTED, partial(_say, "interrupted"))
    except click.exceptions.Exit:
        raise
    except Exception as error:  # noqa: BLE001  nothing is hidden: the traceback is shown
        _end_of_output(error)
        _end(FAULT, traceback.print_exc)


def _end_of_output(error: Exception) -> None:
    """End the command if standard output or standard error takes no more."""
    if not isinstance(error, OSError) or error.filename is not None:
        return
    if error.errno in _NOBODY_READS:
        _discard(sys.stdout)
        raise click.exceptions.Exit(BROKEN_PIPE)
    if error.errno in _STREAM_FAILS:
        _discard(sys.stdout)
        closed = error.errno == errno.EBADF
        problem = "standard output is closed" if closed else error.strerror
        _end(ERROR, partial(_say, f"the output was not written: {problem}"))


def _end(code: int, show: Callable[[], Any]) -> NoReturn:
    try:
        show()
    except OSError:
        # Standard error takes no more: the exit code has to do.
        _discard(sys.stderr)
    raise click.exceptions.Exit(code)


def _replace_closed_streams() -> None:
    """Put a stream in the place of each that the shell has closed (`>&-`), where Python has none.

    Standard input is empty, standard output takes nothing (EBADF), and standard error takes all.
    """
    if sys.stdin is None:
        sys.stdin = _null(os.O_RDONLY, "r")
    if sys.stdout is None:
        sys.stdout = _null(os.O_RDONLY, "w")
    if sys.stderr is None:
        sys.stderr = _null(os.O_WRONLY, "w")


def _null(flags: int, mode: Literal["r", "w"]) -> TextIO:
    return open(os.open(os.devnull, flags), mode, encoding="utf-8")  # noqa: PTH123  it is a number, and lasts as long as the process


def _whole(stream: TextIOWrapper) -> TextIOWrapper:
    """The stream, with a buffer if PYTHONUNBUFFERED has left it without one.

    A write without a buffer ignores what a full disk did not take: a list would end early, with
    exit code 0. Each line still leaves at once.
    """
    raw: Any = stream.buffer
    if not isinstance(raw, RawIOBase):
        return stream
    return TextIOWrapper(
        BufferedWriter(raw), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )


def _say(problem: str) -> None:
    click.echo(f"sesbounce: {problem}", err=True)


def _flush_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # a shell may have closed it: `>&-`
            stream.flush()


def _discard(stream: IO[str]) -> None:
    """Discard what a stream still holds, so that Python does not fail on it when it ends."""
    with suppress(OSError):  # it is no file of the system's, and nothing flushes it
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
