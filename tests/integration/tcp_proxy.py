"""A TCP proxy that fails as networks do: it cuts, resets, refuses, delays, stalls, falls silent."""

import asyncio
import ctypes
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.ports import LOOPBACK, free_port

_MOST_BYTES = 65536
_PATIENCE_SECONDS = 60
# <linux/filter.h>: a program for a socket of which the one instruction drops every packet.
_SO_ATTACH_FILTER = 26
_DROP = struct.pack("HBBI", 0x06, 0, 0, 0)


@dataclass(eq=False)
class _Link:
    """One connection through the proxy.

    Attributes:
        client: whoever has connected.
        server: what is behind the proxy; none until it has answered.
        seen: how many of the marks have gone to the server.
        silent: it is half open: nothing of the client arrives any more, and nothing is sent to it.
    """

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    seen: int = 0
    silent: bool = False

    def end(self) -> None:
        for side in (self.client, self.server):
            if side:
                side.transport.abort()

    def end_silence(self) -> None:
        if self.silent:
            self.end()

    @property
    def socket(self) -> socket.socket:
        ours: socket.socket = self.client.get_extra_info("socket")
        return ours


class TcpProxy:
    """Forwards connections to where a URL leads. The faults last until `heal`.

    Attributes:
        lost: set when an answer was lost on purpose: see `lose_answer`.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._behind = f"{parts.hostname}:{parts.port}"
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        # It is given up and taken once more: see `refuse`.
        self._port = free_port()
        self._links: set[_Link] = set()
        self._delay = 0.0
        self._passing = asyncio.Event()
        self._passing.set()
        self._marks: tuple[bytes, ...] = ()
        self.lost = threading.Event()

    def through(self, url: str) -> str:
        """The same URL, by way of the proxy."""
        assert self._behind in url
        return url.replace(self._behind, f"{LOOPBACK}:{self._port}")

    def cut(self) -> None:
        """Close all connections; new ones are good."""
        self._on_all(_Link.end)

    def reset(self) -> None:
        """Close all connections by RST."""

        def reset(link: _Link) -> None:
            link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.end()

        self._on_all(reset)

    def refuse(self) -> None:
        """Close all connections, and refuse new ones."""
        self._do(self._close)
        self.cut()

    def delay(self, seconds: float) -> None:
        """Have everything come later, in both directions."""
        self._delay = seconds

    def stall(self) -> None:
        """Keep everything back: connections are open, and new ones accepted; nothing comes."""
        self._do(self._passing.clear)

    def half_open(self) -> None:
        """Have all connections die without a word, as when the other machine loses its power.

        What the client sends is not even acknowledged. New connections are good.
        """

        def silence(link: _Link) -> None:
            program = ctypes.create_string_buffer(_DROP, len(_DROP))
            options = struct.pack("HL", 1, ctypes.addressof(program))
            link.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, options)
            link.silent = True

        self._on_all(silence)

    def lose_answer(self, *marks: bytes) -> None:
        """Cut a connection that has sent these, one after the other, when the answer is there."""
        self.lost.clear()
        self._marks = marks

    def heal(self) -> None:
        """All is well again."""
        self._delay, self._marks = 0.0, ()
        self._do(self._passing.set)
        self._on_all(_Link.end_silence)
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_PATIENCE_SECONDS)

    @contextmanager
    def running(self) -> Iterator["TcpProxy"]:
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            self.heal()
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_PATIENCE_SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def _do(self, work: Callable[[], None]) -> None:
        """Work in the proxy's own thread, and wait until it is done."""

        async def do() -> None:
            work()

        asyncio.run_coroutine_threadsafe(do(), self._loop).result(_PATIENCE_SECONDS)

    def _on_all(self, work: Callable[[_Link], None]) -> None:
        def on_all() -> None:
            for link in list(self._links):
                work(link)

        self._do(on_all)

    async def _listen(self) -> None:
        if not self._server:
            self._server = await asyncio.start_server(self._serve, LOOPBACK, self._port)

    def _close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None

    async def _end(self) -> None:
        self._close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        self._links.add(link)
        pumps: list[asyncio.Task[None]] = []
        try:
            host, _, port = self._behind.partition(":")
            answers, link.server = await asyncio.open_connection(host, int(port))
            pumps.append(asyncio.create_task(self._pass_on(reader, link)))
            pumps.append(asyncio.create_task(self._pass_back(answers, link)))
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, asyncio.CancelledError):
            pass  # nobody is there, or this is the end
        finally:
            self._links.discard(link)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            link.end()

    async def _pass_on(self, reader: asyncio.StreamReader, link: _Link) -> None:
        assert link.server
        while data := await reader.read(_MOST_BYTES):
            await self._take_time()
            for mark in self._marks[link.seen :]:
                if mark not in data:
                    break
                link.seen += 1
            link.server.write(data)
            await link.server.drain()

    async def _pass_back(self, reader: asyncio.StreamReader, link: _Link) -> None:
        while data := await reader.read(_MOST_BYTES):
            await self._take_time()
            if self._marks and link.seen == len(self._marks):
                self._marks = ()
                self.lost.set()
                return
            if not link.silent:
                link.client.write(data)
                await link.client.drain()

    async def _take_time(self) -> None:
        await asyncio.sleep(self._delay)
        await self._passing.wait()
