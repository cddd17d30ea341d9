"""Why the sink refused a record: the reason code that its row in ``quarantine`` gets."""

from __future__ import annotations

import json
import re
from typing import NoReturn

KPL_MAGIC = b"\xf3\x89\x9a\xc2\x0a"
"""An aggregate of the Kinesis Producer Library begins so: its mark, then the first field of a protobuf message."""

DELIMITER = re.compile(r'[\s,:"\[\]{}]')


def classify(value: bytes | None) -> tuple[str, str]:
    """Reason code and one sentence, for the value of a record that is no JSON object that the sink can store."""
    if value is None:
        return "not_json_object", "the record has no value"
    if value.startswith(KPL_MAGIC):
        return "kpl_aggregate", "the value is an aggregate of the Kinesis Producer Library (KPL), not one record"
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        return "not_json_object", f"the value is not UTF-8 text (byte {error.start})"
    if not text.strip():
        return "not_json_object", "the value is empty"
    try:
        parsed = json.loads(text, parse_constant=_refuse, parse_int=float)
    except RecursionError:
        return "not_json_object", "the value is nested too deeply"
    except json.JSONDecodeError as error:
        if text.lstrip()[0] in "{[" and _ends_early(error):
            return "truncated_json", f"the JSON ends in the middle, after {len(text)} characters"
        return "not_json_object", f"the value is not JSON: {error.msg} at character {error.pos}"
    except ValueError as error:
        return "not_json_object", f"the value is not JSON: {error}"
    if isinstance(parsed, list):
        return "array_of_rows", f"the value is an array of {len(parsed)} elements; one record must be one row"
    if isinstance(parsed, dict):
        return "not_json_object", "the value is a JSON object, but the sink refused it"
    return "not_json_object", f"the value is a JSON {_kind(parsed)}, not an object"


def _ends_early(error: json.JSONDecodeError) -> bool:
    """Whether the text lacks its end: no bracket closes it, or the decoder failed only there.

    At the end is in the last token, or because another should follow.
    """
    if error.msg == "Extra data":
        return False
    if error.msg.startswith("Unterminated string") or not error.doc.rstrip().endswith(("}", "]")):
        return True
    return DELIMITER.search(error.doc[error.pos :].rstrip()) is None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _kind(value: object) -> str:
    return {bool: "boolean", str: "string", int: "number", float: "number"}.get(type(value), "null")
