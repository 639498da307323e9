"""Fuzzes the decoder for a while: `python -m tests.fuzz.fuzz_decode --seconds 60`.

Arguments behind `--` go to libFuzzer (`-- -max_len=4096 -seed=1`). The seeds are written to
a temporary folder; a finding is kept, and how to run it again is printed.
"""

import argparse
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from tests.fuzz.seeds import write_seeds

ROOT = Path(__file__).parents[2]
FINDINGS = Path(".local/fuzz")
LIMITS = (
    "-timeout=5",  # seconds for one input; a message takes microseconds
    "-rss_limit_mb=1024",
    "-max_len=1048576",  # what SQS carries,
    "-len_control=0",  # from the start
)


def command(corpus: str, seconds: int, extra: list[str]) -> list[str]:
    """The target's command line; of an option that stands twice, libFuzzer takes the last."""
    options = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={FINDINGS}/",
        "-print_final_stats=1",
    ]
    return [sys.executable, "-m", "tests.fuzz.target", corpus, *options, *LIMITS, *extra]


def fuzz(seconds: int, extra: list[str], console: Console) -> int:
    """Run the target; its exit code is 0 where nothing was found."""
    (ROOT / FINDINGS).mkdir(parents=True, exist_ok=True)
    before = set((ROOT / FINDINGS).iterdir())
    with tempfile.TemporaryDirectory(prefix="sesbounce-fuzz-") as corpus:
        console.print(f"fuzz: {write_seeds(Path(corpus))} seeds, {seconds} s")
        run = subprocess.run(command(corpus, seconds, extra), cwd=ROOT, check=False)
    for path in sorted(set((ROOT / FINDINGS).iterdir()) - before):
        again = f"{Path(sys.executable).name} -m tests.fuzz.target {path.relative_to(ROOT)}"
        console.print(f"fuzz: found {path.name}. To run it again: {again}", style="bold red")
    return run.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz the decoder.")
    parser.add_argument("--seconds", type=int, default=60, help="how long (60)")
    parser.add_argument("libfuzzer", nargs="*", help="options of libFuzzer, behind --")
    arguments = parser.parse_args()
    if find_spec("atheris") is None:
        sys.exit("fuzz: atheris is missing; it runs on Linux, x86-64, Python 3.11 to 3.14")
    sys.exit(fuzz(arguments.seconds, arguments.libfuzzer, Console(soft_wrap=True)))


if __name__ == "__main__":
    main()
