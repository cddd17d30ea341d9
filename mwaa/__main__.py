"""The command line of the deployment: ``python -m mwaa package`` (``--help`` lists all).

Exit status: 0 success, 1 something is wrong or cannot be done, each with what to do.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from include.aws.retries import RETRIES
from mwaa import package, stored_secrets, template
from mwaa.airflow_api import AirflowApi
from mwaa.deploy import Deployment
from mwaa.environment import REAL, Clock, Environment
from mwaa.faults import DeployError, Finding, listed
from mwaa.objects import VersionedBucket
from mwaa.stack import Stack
from mwaa.verify import Verification

CHECKOUT = Path(__file__).parents[1]
TARGET = CHECKOUT / "build" / "mwaa"
NAME = "pinterest-pipeline"
PATIENT = Config(retries=RETRIES)

type Clients = Callable[[str], Any]
"""Makes a boto3 client of a service, in the environment's region."""

COMMANDS = {
    "package": "write what is uploaded to build/mwaa/, and print how",
    "environment": "make an environment with all it needs, or bring it up to date: the stack of mwaa/environment.yaml",
    "deploy": "upload the package, have the environment run it, verify that it does; else put back what was there",
    "verify": "look whether the environment runs this checkout, and has what it needs",
    "rollback": "put back the release before the current one",
    "destroy": "remove the stack, and say what is left",
    "template": "write the policies into mwaa/environment.yaml anew",
}


def main(arguments: Sequence[str] | None = None, clients: Clients | None = None, clock: Clock = REAL) -> int:
    options = parser().parse_args(arguments)
    try:
        return RUN[options.command](options, clients or clients_of(options), clock)
    except (DeployError, package.PackageError) as error:
        print(error, file=sys.stderr)
    except (ClientError, BotoCoreError) as error:
        print(f"AWS: {error}", file=sys.stderr)
    return 1


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mwaa", description="Deployment to Amazon MWAA.")
    commands = parser.add_subparsers(dest="command", required=True)
    known = {name: commands.add_parser(name, help=text, description=text) for name, text in COMMANDS.items()}
    for name in ("environment", "deploy", "verify", "rollback", "destroy"):
        known[name].add_argument("--region", help="by default that of the AWS CLI")
    for name in ("deploy", "verify", "rollback"):
        known[name].add_argument("--environment", default=NAME, help="its name (default: %(default)s)")
    for name in ("environment", "destroy"):
        known[name].add_argument("--stack", default=NAME, help="its name (default: %(default)s)")
    known["deploy"].add_argument("--secrets", type=Path, help="a file of connections and the Variable to store first")
    known["environment"].add_argument("parameters", nargs="*", metavar="KEY=VALUE", help="such as UserId=0123456789ab")
    known["destroy"].add_argument("--delete-bucket", metavar="BUCKET", help="also delete the bucket of this name")
    return parser


def clients_of(options: argparse.Namespace) -> Clients:
    """As the AWS CLI finds its credentials, and its region unless one is named."""
    region = getattr(options, "region", None) or os.environ.get("AWS_REGION")
    return lambda service: boto3.Session(region_name=region).client(service, config=PATIENT)


def make_package(_options: argparse.Namespace, _clients: Clients, _clock: Clock) -> int:
    manifest = package.build(CHECKOUT, TARGET)
    print(package.instructions(manifest, TARGET.relative_to(CHECKOUT)))
    return 0


def make_environment(options: argparse.Namespace, clients: Clients, _clock: Clock) -> int:
    if wrong := [one for one in options.parameters if "=" not in one]:
        raise DeployError(f"{', '.join(wrong)}: write KEY=VALUE")
    Stack(clients, options.stack).make(dict(one.split("=", 1) for one in options.parameters))
    return 0


def deploy(options: argparse.Namespace, clients: Clients, clock: Clock) -> int:
    manifest = package.build(CHECKOUT, TARGET)
    deployment = deployment_of(options, clients, clock)
    deployment.refuse_what_cannot_be()
    if options.secrets:
        environment = deployment.environment
        secrets = stored_secrets.read(options.secrets, environment.region)
        prefixes = stored_secrets.prefixes(environment)
        stored_secrets.write(clients("secretsmanager"), secrets, prefixes, print)
    return judged(deployment.deploy(TARGET, manifest))


def verify(options: argparse.Namespace, clients: Clients, clock: Clock) -> int:
    manifest = package.build(CHECKOUT, TARGET)
    return judged(deployment_of(options, clients, clock).verify(manifest))


def roll_back(options: argparse.Namespace, clients: Clients, clock: Clock) -> int:
    return judged(deployment_of(options, clients, clock).roll_back())


def destroy(options: argparse.Namespace, clients: Clients, _clock: Clock) -> int:
    stack = Stack(clients, options.stack)
    if options.delete_bucket and not stack.outputs():
        stack.delete_bucket_that_is_left(options.delete_bucket)
    else:
        stack.destroy(options.delete_bucket)
    return 0


def write_template(_options: argparse.Namespace, _clients: Clients, _clock: Clock) -> int:
    text = template.TEMPLATE.read_text(encoding="utf-8")
    template.TEMPLATE.write_text(template.with_policies(text), encoding="utf-8")
    return 0


def deployment_of(options: argparse.Namespace, clients: Clients, clock: Clock) -> Deployment:
    mwaa = clients("mwaa")
    environment = Environment(mwaa, options.environment, clock=clock)
    bucket = VersionedBucket(clients("s3"), environment.bucket)
    verification = Verification(environment, bucket, AirflowApi(mwaa, environment.name), clock=clock)
    return Deployment(environment, bucket, verification)


def judged(found: list[Finding]) -> int:
    print(listed(found) if found else "It runs: nothing is missing or wrong.")
    return 1 if found else 0


RUN: dict[str, Callable[[argparse.Namespace, Clients, Clock], int]] = {
    "package": make_package,
    "environment": make_environment,
    "deploy": deploy,
    "verify": verify,
    "rollback": roll_back,
    "destroy": destroy,
    "template": write_template,
}

if __name__ == "__main__":
    sys.exit(main())
