"""What may be there after a teardown, by what it was told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.aws.inventory import Found
from include.aws.ownership import owner_tags
from include.teardown import Order
from tests.builders import settings

NOW = datetime(2026, 11, 28, tzinfo=UTC)
BUCKET = settings().bucket
PARAMS = {"dry_run": False, "keep": [], "delete_data_of": BUCKET, "only_expired": False}


@pytest.mark.parametrize(
    ("keeps_bucket", "why"), [(False, ""), (True, "kept: it holds the document about checkpoints, which are not in it")]
)
def test_a_bucket_stays_for_the_document_about_checkpoints_that_are_elsewhere(keeps_bucket, why):
    bucket = Found(
        kind="bucket", name=BUCKET, identifier=BUCKET, tags=owner_tags(settings().user_id), ours=True, item={}
    )

    assert Order.of(PARAMS, BUCKET, keeps_bucket=keeps_bucket).stays(bucket, NOW) == why
