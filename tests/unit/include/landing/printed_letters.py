"""Dead letters in the console consumer's form."""

from __future__ import annotations

import base64

from include.landing.console_consumer import Framing

FRAMING = Framing(field="<F>", header="<H>", record="<R>", nothing="<N>")


def printed(value, *, headers=None, offset=0, timestamp=b"CreateTime:1795254517409", key=b"7528"):
    """One record in the console consumer's form."""
    if headers is None:
        headers = [
            (b"__connect.errors.topic", b"0e36c8cd403d.pin"),
            (b"__connect.errors.partition", b"2"),
            (b"__connect.errors.offset", b"41"),
        ]
    told = b"<H>".join(name + b":" + content for name, content in headers)
    return b"<F>".join([timestamp, b"Partition:0", b"Offset:%d" % offset, told, key, value]) + b"<R>"


def lines(*partitions):
    """What ``read_dead_letters.sh`` prints: partition, first offset, offset after the last, and the records."""
    return "\n".join(
        f"{n} {start} {stop} {base64.b64encode(content).decode()}" for n, start, stop, content in partitions
    )
