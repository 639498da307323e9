"""Structured logs. They hold no address and no diagnostic text: counts, ids, fingerprints."""

import logging
import sys
from typing import Any, Literal

import structlog


def set_up_logs(log_format: Literal["auto", "json", "text"]) -> None:
    """Log to standard error: one JSON object a line, or text for people."""
    terminal = sys.stderr.isatty()
    text = log_format == "text" or (log_format == "auto" and terminal)
    renderer: Any = structlog.processors.JSONRenderer()
    if text:
        renderer = structlog.dev.ConsoleRenderer(colors=terminal)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
