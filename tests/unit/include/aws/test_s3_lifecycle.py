"""The bucket's lifecycle rules: what expires, what never does, and that others' rules stay."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from include import bucket_layout
from include.aws.s3_lifecycle import OURS, with_ours
from include.ledger.entry import HOPS
from tests.builders import USER_ID

OTHERS = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}}
OLD_KIND = {"ID": "old", "Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 1}}
DAGS = ("pinterest_pipeline", "pinterest_batch", "pinterest_stream", "pinterest_maintenance", "pinterest_provision")


def days_of(rules, key):
    """After how many days S3 deletes an object; None for never."""
    hits = [
        rule["Expiration"]["Days"]
        for rule in rules
        if "Days" in rule.get("Expiration", {})
        and key.startswith(rule["Filter"]["Prefix"] if "Filter" in rule else rule["Prefix"])
    ]
    return min(hits, default=None)


def documents_of_a_run(dag_id, run_id, routes=("batch", "stream")):
    yield bucket_layout.interval(dag_id, run_id)
    yield bucket_layout.manifest(dag_id, run_id)
    yield bucket_layout.dead_letters(dag_id, run_id)
    yield bucket_layout.analyses(dag_id, run_id)
    yield bucket_layout.report(dag_id, run_id)
    yield bucket_layout.report_ledger(dag_id, run_id)
    for route in routes:
        yield bucket_layout.posting_progress(dag_id, run_id, route)
        yield bucket_layout.refused_rows(dag_id, run_id, route)
        yield from (bucket_layout.ledger(dag_id, run_id, hop, route) for hop in HOPS[route])


OF_A_USER = (bucket_layout.bookmark, bucket_layout.checkpoints, bucket_layout.sink_restart)
LASTING = [
    *(bucket_layout.seed_position(100, route) for route in ("batch", "stream")),
    *(of_user(user) for user in (USER_ID, "f" * 12) for of_user in OF_A_USER),
    bucket_layout.sink_object(f"{USER_ID}.pin", 0, 0),
    bucket_layout.set_aside("id", bucket_layout.sink_object(f"{USER_ID}.pin", 0, 0)),
    bucket_layout.plugin_archive(USER_ID, "ab" * 32),
    f"checkpoints/streaming-{USER_ID}-pin/commits/0",
]


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_document_of_a_run_expires(dag_id):
    rules = with_ours([], 90)

    for key in documents_of_a_run(dag_id, "scheduled__2026-01-02T00:00:00+00:00"):
        assert days_of(rules, key) == 90, key


@pytest.mark.parametrize("key", LASTING)
def test_what_later_runs_read_never_expires(key):
    assert days_of(with_ours([], 90), key) is None


def earlier_days_of(rules, key):
    """After how many days S3 deletes an earlier version of an object; None for never."""
    hits = [
        rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules
        if "NoncurrentVersionExpiration" in rule and key.startswith(rule["Filter"]["Prefix"])
    ]
    return min(hits, default=None)


@pytest.mark.parametrize(
    ("key", "days"),
    [
        (bucket_layout.seed_position(100), 30),
        (bucket_layout.bookmark(USER_ID), 30),
        (bucket_layout.checkpoints(USER_ID), 30),
        (f"checkpoints/streaming-{USER_ID}-pin/commits/0", 30),
        (bucket_layout.sink_object(f"{USER_ID}.pin", 0, 0), 30),
        (bucket_layout.manifest("pinterest_batch", "r"), 30),
        ("their/object", None),
    ],
)
def test_earlier_versions_of_what_is_written_anew_do_not_pile_up(key, days):
    assert earlier_days_of(with_ours([], 90), key) == days


def test_s3_takes_the_rules():
    s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    configuration = {"Rules": with_ours([], 90)}
    with Stubber(s3) as stub:
        stub.add_response("put_bucket_lifecycle_configuration", {})
        s3.put_bucket_lifecycle_configuration(Bucket="b", LifecycleConfiguration=configuration)


def test_the_rules_of_others_stay_and_ours_are_replaced():
    first = with_ours([OTHERS], 90)
    again = with_ours(first, 90)
    changed = with_ours(first, 30)

    assert first[0] == OTHERS
    assert again == first
    assert len(changed) == len(first)
    assert {rule["ID"] for rule in changed[1:]} == {rule["ID"] for rule in first[1:]}
    assert all(rule["ID"].startswith(OURS) and len(rule["ID"]) <= 255 for rule in changed[1:])
    assert days_of(changed, "posting/pinterest_batch/r.json") == 30
    assert with_ours(first, None) == [OTHERS]
    assert with_ours([], None) == []


def test_beside_a_rule_of_the_old_kind_ours_are_of_that_kind():
    """S3 refuses a configuration in which some rules have a filter and others a prefix."""
    rules = with_ours([OLD_KIND], 90)

    assert rules[0] == OLD_KIND
    assert all("Prefix" in rule and "Filter" not in rule for rule in rules)
    assert days_of(rules, "ledger/pinterest_stream/r/stream/api.json") == 90
    assert days_of(rules, bucket_layout.seed_position(100)) is None


@pytest.mark.slow
def test_a_year_of_runs_leaves_as_many_documents_as_ninety_days():
    """A run a day and one every quarter of an hour, with S3 deleting what is due each night."""
    rules, kept, sizes = with_ours([], 90), dict[int, list[str]](), list[int]()
    for day in range(365):
        kept[day] = [*documents_of_a_run("pinterest_batch", f"scheduled__{day}", ["batch"])]
        for quarter in range(96):
            kept[day] += documents_of_a_run("pinterest_stream", f"scheduled__{day}T{quarter}", ["stream"])
        kept[day - 90] = [key for key in kept.get(day - 90, []) if days_of(rules, key) is None]
        sizes.append(sum(map(len, kept.values())))

    assert sizes[89:] == [90 * sizes[0]] * len(sizes[89:])
    posting = [key for keys in kept.values() for key in keys if key.startswith("posting/")]
    assert len(posting) == 90 * 97 * 2, "what a listing of posting/ sees"
