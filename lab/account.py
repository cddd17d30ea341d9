"""What an AWS account of the lab holds before the pipeline first runs: ``python -m lab.account``.

That is nothing but the network that AWS gives every account. Bucket, roles, key pair, client machine and MSK cluster
are made by the pipeline itself, as in an account with nothing in it.
"""

from __future__ import annotations

from lab.state import USER_ID, State

BUCKET = f"user-{USER_ID}-bucket"
CLUSTER = "pinterest-msk-cluster"
SECRETS = ("databricks_token", "aws_access_key_id", "aws_secret_access_key")


def prepare(state: State) -> None:
    """Have secrets ready that other parts read. A second call changes nothing."""
    for name in SECRETS:
        state.secret(name)


if __name__ == "__main__":
    prepare(State.open())
