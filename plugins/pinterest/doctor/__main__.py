"""``python -m pinterest.doctor [ROLE]``: what is missing or wrong in the connections' account."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from include.doctor import bills
from include.doctor.remark import Finding, Remark, is_well, text
from pinterest.doctor.account import Account
from pinterest.doctor.examination import inventory, of_account, of_connections, of_settings


def main(arguments: Sequence[str]) -> int:
    """Print the remarks and what bills now. Return 0 if nothing is wrong and nothing was left unchecked."""
    logging.disable(logging.ERROR)  # hooks' own words; errors are in the remarks
    role = arguments[0] if arguments else ""
    remarks: list[Remark] = [*of_connections()]
    settings = of_settings()
    billed = ""
    if isinstance(settings, Finding):
        remarks.append(settings)
    else:
        account = Account(settings, role)
        remarks += of_account(account, _tell)
        _tell("what bills")
        found, unchecked = inventory(account)
        remarks += unchecked
        billed = f"What bills now:\n{bills.text(bills.bills(found, settings), settings.region)}"
    print(f"{text(remarks)}\n\n{billed}".rstrip())
    return 0 if is_well(remarks) else 1


def _tell(what: str) -> None:
    print(f"doctor: {what}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
