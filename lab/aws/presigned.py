"""Presigned addresses of S3: ministack checks who signed them, also where it takes any access key otherwise.

The lab's programs have access keys of their own and one secret in common, the account's.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from lab.calls import CALLERS, access_key
from lab.state import State


def install(s3: ModuleType, state: State) -> None:
    """Have ministack take what the lab's programs have signed."""
    programs = {access_key(state, caller) for caller in CALLERS}
    account = state.secret("aws_access_key_id")
    s3.resolve_credential = partial(_resolve, s3.resolve_credential, programs, account)  # type: ignore[attr-defined]


def _resolve(resolve: Any, programs: set[str], account: str, key: str, *more: Any) -> Any:
    return resolve(account if key in programs else key, *more)
