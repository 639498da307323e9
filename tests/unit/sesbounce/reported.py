"""Reports of a worker, for tests."""

from sesbounce.store.result import Recorded
from sesbounce.telemetry.reports import BatchDone

RECORDED = Recorded(
    events=3,
    duplicates=2,
    suppressed=2,
    released=1,
    struck_rows=5,
    restored_rows=4,
    rejected={"no such column": 1, "locked": 2},
    kinds={"bounce": 2, "complaint": 1},
    sender_faults={"rate_limited": 2, "sender_blocked": 1},
    reasons={"no_such_mailbox": 1, "complaint_abuse": 1},
)
BATCH = BatchDone(
    messages=8,
    undecodable={"abc": 2, "def": 1},
    failed=1,
    recorded=RECORDED,
    seconds=0.2,
    commit_seconds=0.04,
    oldest_seconds=90.0,
    unknown=2,
    unreadable=3,
)
