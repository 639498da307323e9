"""Runs `sesbounce`, and names its threads to the system as Python names them.

Python does so itself from 3.14 on. The children of a worker of several processes import this
module as well, and so name theirs.
"""

import threading
from pathlib import Path

from sesbounce.cli import main

# The system cuts a name off behind so many bytes.
LONGEST = 15
_run = threading.Thread.run


def _named(self: threading.Thread) -> None:
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(self.name[:LONGEST])
    _run(self)


threading.Thread.run = _named  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
