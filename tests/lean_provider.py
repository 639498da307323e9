"""Terraform's provider for AWS, with the types alone that this project's configuration names.

Each command of Terraform asks the provider for its schema: 1,500 types, 5 MB. To write, read and
convert it costs both of them more CPU time than the rest of most commands. This program runs the
provider, stands between the two, and passes on each call as it is; of the answer about the schema
it leaves out the types whose names are in no file of terraform/. Terraform refuses such a type.

As `provider -debug`, it prints how Terraform attaches: `python -m tests.lean_provider PROVIDER`.
"""

import functools
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

CONFIGURATION = Path(__file__).parents[1] / "terraform"

_ADDRESS = re.compile(r'"Addr":{"Network":"unix","String":"([^"]+)"}')
_SCHEMA = "/tfplugin5.Provider/GetSchema"
# In the schema: maps of the types of resources, data sources and ephemeral resources.
# https://github.com/hashicorp/terraform/blob/main/docs/plugin-protocol/tfplugin5.proto
_TYPES = {2, 3, 8}
_KEY = 1
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
# More calls than Terraform makes at a time.
_THREADS = 32

Call = Callable[[bytes], bytes]


def named_types() -> set[str]:
    """The types that the stack, its modules and its examples name."""
    texts = (file.read_text("utf-8") for file in CONFIGURATION.rglob("*.tf"))
    return {name for text in texts for name in re.findall(r"\baws_\w+", text)}


def lean(schema: bytes, types: set[str]) -> bytes:
    """A schema, in protobuf's encoding, without the types that are not named."""

    def stays(number: int, content: memoryview) -> bool:
        if number not in _TYPES:
            return True
        return any(n == _KEY and str(key, "utf-8") in types for n, key, _ in _fields(content))

    fields = _fields(memoryview(schema))
    return b"".join(whole for number, content, whole in fields if stays(number, content))


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Number, content and encoding of each field; all of them are of a length that they tell.

    https://protobuf.dev/programming-guides/encoding/
    """
    at = 0
    while at < len(message):
        begin = at
        tag, at = _varint(message, at)
        assert tag & 7 == 2, f"field {tag >> 3} tells no length"
        length, at = _varint(message, at)
        yield tag >> 3, message[at : at + length], message[begin : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of protobuf's, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


class Between(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Passes the calls of Terraform on to a provider."""

    def __init__(self, provider: grpc.Channel) -> None:
        self._provider = provider

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        method: str = details.method
        if method.startswith("/plugin."):
            return None  # streams beside the calls, which Terraform does without
        call: Call = self._provider.unary_unary(method)
        answer = self._schema if method == _SCHEMA else call

        def passed_on(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                return answer(request)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
                raise

        return grpc.unary_unary_rpc_method_handler(passed_on)

    @functools.cache  # noqa: B019  there is one for the whole process
    def _schema(self, request: bytes) -> bytes:
        return lean(self._provider.unary_unary(_SCHEMA)(request), named_types())


def main(binary: str) -> None:
    """Serve until a signal, or the provider's end."""
    with (
        subprocess.Popen([binary, "-debug"], stdout=subprocess.PIPE, text=True) as provider,
        tempfile.TemporaryDirectory(prefix="lean-") as folder,
    ):
        signal.signal(signal.SIGTERM, lambda *_: provider.terminate())
        assert provider.stdout
        attach, address = next(
            (line, a[1]) for line in provider.stdout if (a := _ADDRESS.search(line))
        )
        channel = grpc.insecure_channel(f"unix:{address}", options=_OPTIONS)
        threads = ThreadPoolExecutor(_THREADS)
        server = grpc.server(threads, handlers=[Between(channel)], options=_OPTIONS)
        server.add_insecure_port(f"unix:{folder}/socket")
        server.start()
        print(attach.replace(address, f"{folder}/socket"), flush=True)  # noqa: T201
        provider.wait()
        server.stop(None).wait()


if __name__ == "__main__":
    main(sys.argv[1])
