"""Structured logs of sesbounce and of the libraries that it uses, in one format.

sesbounce itself logs counts, ids and fingerprints, and neither addresses nor diagnostic texts. The
texts of others (a database driver's error, a URL) are redacted.
"""

import json
import logging
import sys
from typing import Any, Literal

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from sesbounce.telemetry.redaction import redact_all
from sesbounce.telemetry.visible import visible, visible_json, visible_lines

_MOST_BYTES = 1000
# A character that is shown as `\\ud83d\\udcaf`.
_MOST_BYTES_A_CHARACTER = 12
_CUT = "…"


def set_up_logs(log_format: Literal["auto", "json", "text"], *, redact: bool = True) -> None:
    """Log to standard error: one JSON object per line, or text for people.

    Args:
        log_format: `auto` means text on a terminal, and JSON elsewhere.
        redact: whether to hide the local part of everything that looks like an address.
    """
    own = logging.getLogger("sesbounce")
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_arguments: own,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=_processors(log_format, redact=redact),
        )
    )
    # What libraries log at INFO does not help an operator.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    own.setLevel(logging.INFO)
    # Its warnings quote whole URLs, and a webhook's may hold a token.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)


def _processors(log_format: Literal["auto", "json", "text"], *, redact: bool) -> list[Processor]:
    """The steps that make a line from a log event of sesbounce or of a library."""
    terminal = bool(sys.stderr) and sys.stderr.isatty()  # None where it was closed at the start
    text = log_format == "text" or (log_format == "auto" and terminal)
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        *([_redact] if redact else []),
        # Behind the redaction: it would not know half an address.
        _shorten,
        *(
            [_show, structlog.dev.ConsoleRenderer(colors=terminal)]
            if text
            else [structlog.processors.JSONRenderer(serializer=_to_json)]
        ),
    ]


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: redact_all(value) for key, value in event.items()}


def _shorten(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Cut every field to a kilobyte, so that nobody fills the log by one message."""
    return {_cut(key): _shortened(key, value) for key, value in event.items()}


def _shortened(key: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    # Of a traceback the end says what has happened.
    cut = _cut_start if key == "exception" else _cut
    if isinstance(value, str):
        return cut(value)
    text = _to_json(value, default=repr)
    return value if len(text.encode()) <= _MOST_BYTES else cut(text)


def _cut(text: str) -> str:
    room = _room(text)
    return text if room >= len(text) else text[:room] + _CUT


def _cut_start(text: str) -> str:
    room = _room(text[::-1])
    return text if room >= len(text) else _CUT + text[len(text) - room :]


def _room(text: str) -> int:
    """How many of the first characters fit into a field, as JSON shows them."""
    if len(text) * _MOST_BYTES_A_CHARACTER <= _MOST_BYTES:
        return len(text)
    left = _MOST_BYTES
    for number, character in enumerate(text):
        left -= len(_to_json(character).encode()) - len('""')
        if left < 0:
            # The mark for what is cut needs room as well.
            return max(0, number - len(_CUT.encode()))
    return len(text)


def _show(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Show unsafe characters in a line for people; a traceback keeps its lines."""
    return {
        visible(key): visible_lines(value) if key == "exception" else _shown(value)
        for key, value in event.items()
    }


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return visible(value if isinstance(value, str) else repr(value))


def _to_json(value: Any, **more: Any) -> str:
    return visible_json(json.dumps(value, ensure_ascii=False, **more))
