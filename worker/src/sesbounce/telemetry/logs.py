"""Structured logs of sesbounce and of the libraries that it uses, in one format.

sesbounce itself logs counts, ids and fingerprints, and neither addresses nor diagnostic texts. The
texts of others (a database driver's error, a URL) are redacted.
"""

import logging
import sys
from typing import Literal

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from sesbounce.telemetry.redaction import redact_all


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
    terminal = sys.stderr.isatty()
    text = log_format == "text" or (log_format == "auto" and terminal)
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        *([_redact] if redact else []),
        structlog.dev.ConsoleRenderer(colors=terminal)
        if text
        else structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: redact_all(value) for key, value in event.items()}
