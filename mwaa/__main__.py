"""The command line of the deployment: ``python -m mwaa package`` (``--help`` lists all)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mwaa import package

CHECKOUT = Path(__file__).parents[1]
TARGET = CHECKOUT / "build" / "mwaa"


def main() -> int:
    parser = argparse.ArgumentParser(prog="mwaa", description="Deployment to Amazon MWAA.")
    commands = parser.add_subparsers(dest="command", required=True)
    text = "write what is uploaded to build/mwaa/, and print how"
    commands.add_parser("package", help=text, description=text)
    parser.parse_args()
    try:
        manifest = package.build(CHECKOUT, TARGET)
    except package.PackageError as error:
        print(error, file=sys.stderr)
        return 1
    print(package.instructions(manifest, TARGET.relative_to(CHECKOUT)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
