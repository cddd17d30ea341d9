"""What ``make demo`` costs a newcomer in time, memory and disk: in a fresh clone with empty caches, then once more.

Prints each figure next to its budget and ends with one line of JSON. Memory is the proportional set
size (PSS) of every process that runs from the clone: shared pages count only once.

    .venv/bin/python benchmarks/demo.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUDGETS = {"first_s": 600, "second_s": 180, "idle_mb": 3584, "peak_mb": 7168}


class MemoryWatch(threading.Thread):
    """Samples the memory of everything that runs from ``checkout`` until stopped, and keeps the peak."""

    def __init__(self, checkout: Path) -> None:
        super().__init__(daemon=True)
        self.checkout = checkout
        self.peak_mb = 0
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.wait(1):
            self.peak_mb = max(self.peak_mb, memory_mb(self.checkout))

    def stop(self) -> int:
        self._stop_asked.set()
        self.join()
        return self.peak_mb


def memory_mb(checkout: Path) -> int:
    """MB of PSS over all processes whose command line names the checkout."""
    needle = os.fsencode(checkout)
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if needle in (process / "cmdline").read_bytes():
                total += next(
                    int(line.split()[1])
                    for line in (process / "smaps_rollup").read_text().splitlines()
                    if line.startswith("Pss:")
                )
        except (OSError, StopIteration):
            continue
    return total // 1024


def disk_mb(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) // 2**20


def run_demo(checkout: Path, environment: dict[str, str]) -> float:
    started = time.monotonic()
    done = subprocess.run(["make", "demo"], cwd=checkout, env=environment, stdout=sys.stderr)
    if done.returncode:
        raise SystemExit(f"make demo failed; its clone and logs are left in {checkout}")
    return time.monotonic() - started


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="bench-demo-"))
    checkout = folder / "checkout"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(checkout)], check=True)
    caches = {name: str(folder / "caches" / name) for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME")}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LAB_")},
        **caches,
        "MAVEN_ARGS": f"-Dmaven.repo.local={folder}/caches/maven",
    }
    watch = MemoryWatch(checkout)
    try:
        watch.start()
        first = run_demo(checkout, environment)
        time.sleep(20)  # "idle" means the lab, twenty seconds after its last work
        idle = memory_mb(checkout)
        second = run_demo(checkout, environment)
    finally:
        peak = watch.stop()
        subprocess.run(["make", "lab-down"], cwd=checkout, env=environment, check=False, stdout=sys.stderr)
    sizes = {"venv_mb": disk_mb(checkout / ".venv"), "install_mb": disk_mb(checkout / ".lab" / "install")}
    figures = {"first_s": round(first), "second_s": round(second), "idle_mb": idle, "peak_mb": peak, **sizes}
    shutil.rmtree(folder)
    print(f"{'figure':<12} {'measured':>9} {'budget':>8}")
    for name, value in figures.items():
        print(f"{name:<12} {value:>9} {BUDGETS.get(name, '-'):>8}")
    print(json.dumps({**figures, "within_budget": all(figures[name] <= limit for name, limit in BUDGETS.items())}))


if __name__ == "__main__":
    main()
