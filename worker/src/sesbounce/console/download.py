"""Downloads the suppressed addresses that the filters of the list select, as a file.

The file is written while it is read, so that it may be of any size. Where the database fails
meanwhile, the answer breaks off, and the browser reports a failed download: a shorter file would
look like a shorter list.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from io import StringIO
from typing import Any

from starlette.responses import Response, StreamingResponse

from sesbounce.console.asking import Ask, unsealed
from sesbounce.console.suppressions import View, filter_of
from sesbounce.lists.files import write_csv
from sesbounce.policy.suppressed import Suppressed
from sesbounce.store.acts import Act, Done, record_alone
from sesbounce.store.listing import suppressed_pages

_ROWS = 1000


def download(ask: Ask) -> Response:
    """Send the file, in the form that `sesbounce import` reads."""
    console, now = ask.console, ask.console.now()
    view = unsealed(ask, ask.form.get("view", ""), View)
    pages = suppressed_pages(console.engine, now, filter_of(view), _ROWS)
    # Read before the answer begins: a database that is away is a page that says so.
    first = next(pages, [])
    # Recorded before as well: whoever breaks a download off has some of the addresses.
    record_alone(console.engine, Done(act=Act.EXPORTED, at=now, by=ask.by, subject=view.words))
    return StreamingResponse(
        _stream(console.parts.in_thread, _texts(first, pages)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="suppressed-{now:%Y-%m-%d}.csv"'},
    )


def _texts(first: list[Suppressed], pages: Iterator[list[Suppressed]]) -> Iterator[str]:
    yield _text(first, header=True)
    for page in pages:
        yield _text(page, header=False)


def _text(page: list[Suppressed], *, header: bool) -> str:
    output = StringIO()
    write_csv(page, output, header=header)
    return output.getvalue()


async def _stream(
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]], texts: Iterator[str]
) -> AsyncIterator[str]:
    while (text := await in_thread(partial(next, texts, None))) is not None:
        yield text
