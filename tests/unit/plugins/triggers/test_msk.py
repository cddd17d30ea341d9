"""The deferred wait on an MSK cluster."""

from __future__ import annotations

import pytest

from pinterest.triggers.msk import MskClusterTrigger


@pytest.mark.parametrize("waiter", ["cluster_active", "cluster_deleted"])
def test_the_wait_survives_the_triggerer(waiter):
    trigger = MskClusterTrigger(
        cluster_arn="arn:c", waiter=waiter, created=True, waiter_delay=5, waiter_max_attempts=7, region_name="eu-west-1"
    )
    path, arguments = trigger.serialize()
    again = MskClusterTrigger(**arguments)

    assert path == "pinterest.triggers.msk.MskClusterTrigger"
    assert again.serialize() == (path, arguments)
    assert (again.waiter_name, again.waiter_args) == (waiter, {"ClusterArn": "arn:c"})
    assert again.return_value == {"cluster_arn": "arn:c", "created": True}
    assert again.hook().waiter_path.name == "kafka.json"
