"""Where the lab can run, checked before anything starts."""

from __future__ import annotations

import platform

SUPPORTED = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")}


def this_platform() -> tuple[str, str]:
    return platform.system(), platform.machine()


def why_unsupported() -> str | None:
    """The reason in one sentence, or None if the lab can run here."""
    system, machine = this_platform()
    if system == "Windows":
        return "The lab does not run on Windows itself; run it inside WSL 2."
    if (system, machine) not in SUPPORTED:
        return f"The lab does not run on {system} {machine}: it needs Linux (x86-64, arm64) or macOS (Apple silicon)."
    if system == "Linux" and platform.libc_ver()[0] != "glibc":
        return "The lab does not run on this Linux: its packages (Java, Kafka client, Arrow) need glibc, not musl."
    return None
