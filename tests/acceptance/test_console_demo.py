"""What `make console` does: it makes the data, serves the console, and ends."""

import os
from pathlib import Path

import httpx

from scripts.local import console_data
from scripts.local.console import ensure_data, served

PROMISED = {
    "ann-gone@example.org": ("verdict suppressed", "user unknown"),
    "max-full@example.net": ("verdict suppressed", "It is on probation"),
    "lea-back@example.org": ("verdict free", "asked by phone"),
    "connie-plaint@yahoo.com": ("verdict limited", "newsletter"),
    "member-1@gmail.com": ("verdict free", "in an incident: a strike only"),
}
"""The addresses to look up, with the verdict and something that each page shows."""


def test_the_demo_shows_what_it_promises(tmp_path: Path) -> None:
    database, log = tmp_path / "console" / "sesbounce.sqlite3", tmp_path / "log"
    ensure_data(database)
    made_at = database.stat().st_mtime_ns
    ensure_data(database)
    assert database.stat().st_mtime_ns == made_at
    assert list(PROMISED) == list(console_data.LOOK_UP)
    # The settings of another database do not count.
    environment = {**os.environ, "SESBOUNCE_DATABASE_URL": "sqlite:////nowhere/at.all"}
    with (
        log.open("wb") as file,
        served(database, environment, file) as (url, process),
        httpx.Client(base_url=url, headers={"Sec-Fetch-Site": "same-origin"}, timeout=60) as client,
    ):
        for address, (verdict, shown) in PROMISED.items():
            answer = client.post("/console/look-up", data={"address": address})
            page = client.get(answer.headers["Location"]).text
            assert verdict in page, address
            assert shown in page, address
        overview = client.get("/console/overview").text
        assert "made up: no worker runs" in overview
        assert ">healthy</span>" in overview
        assert "sender not authenticated" in overview.partition('aria-labelledby="faults"')[2]
        deliveries = client.get("/console/deliveries").text
        assert "webhook:desk" in deliveries
        assert "HTTP status 410" in deliveries
        assert "the bought list is removed" in client.get("/console/audit").text
    assert process.returncode == 0
    assert "member-1" not in log.read_text()
