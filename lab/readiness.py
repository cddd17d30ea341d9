"""Readiness checks: a service is ready when the very process we started answers. An open port proves nothing."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

import psutil

from lab.state import State

Answers = Callable[[State, int], bool]


def health(name: str) -> Answers:
    """Ready when ``/_lab/health`` on the port of that name answers with the pid we started."""

    def answers(state: State, pid: int) -> bool:
        try:
            reply = get_json(f"http://127.0.0.1:{state.port(name)}/_lab/health")
        except (OSError, ValueError):
            return False
        return reply == {"service": name, "pid": pid}

    return answers


def get_json(url: str) -> object:
    """GET a URL on this machine, never through a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=2) as reply:
        return json.load(reply)


def listens(pid: int, port: int) -> bool:
    """Whether that very process, and no other, holds the port."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)
