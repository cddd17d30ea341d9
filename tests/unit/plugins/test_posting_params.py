"""Bounds of what a run may be asked for, where the run is triggered and where it is carried out."""

from __future__ import annotations

import copy

import pytest
from airflow.sdk.exceptions import ParamValidationError

from include.posting.order import PostingOrder, PostingOrderError
from pinterest.posting_params import POSTING_PARAMS, STREAM_POSTING_PARAMS

GOOD = [
    ("posts", 1),
    ("posts", 1_000_000),
    ("seed", 0),
    ("seed", 2**32 - 1),
    ("start", "continue"),
    ("start", "0"),
    ("start", 0),
    ("start", 12345),
    ("pace", "none"),
    ("pace", "emulated"),
    ("batch_size", 1),
    ("batch_size", 5000),
]
BAD = [
    ("posts", 0),
    ("posts", 1_000_001),
    ("posts", -5),
    ("posts", "many"),
    ("posts", None),
    ("posts", 1.5),
    ("seed", -1),
    ("seed", 2**32),
    ("seed", "x"),
    ("start", "resume"),
    ("start", ""),
    ("start", "-1"),
    ("start", -1),
    ("start", "1e3"),
    ("start", 100_000_000),
    ("pace", "fast"),
    ("pace", None),
    ("batch_size", 0),
    ("batch_size", 5001),
]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_a_trigger_takes(name, value):
    assert copy.copy(POSTING_PARAMS[name]).resolve(value) == value
    assert str(getattr(PostingOrder.parse(**{name: str(value)}), name)) == str(value)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_trigger_refuses(name, value):
    with pytest.raises(ParamValidationError):
        copy.copy(POSTING_PARAMS[name]).resolve(value)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_task_refuses_and_names_the_param(name, value):
    with pytest.raises(PostingOrderError) as error:
        PostingOrder.parse(**{name: value})
    assert f"{name}: " in str(error.value)
    assert repr(str(value) if name == "start" else value) in str(error.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(PostingOrderError, match=r"posts: .*seed: .*start: .*pace: .*batch_size: "):
        PostingOrder.parse(posts=0, seed=-1, start="x", pace="y", batch_size=0)


def test_defaults_are_those_of_the_runbook():
    assert {name: param.value for name, param in POSTING_PARAMS.items()} == {
        "posts": 500,
        "seed": 100,
        "start": "continue",
        "pace": "none",
        "batch_size": 500,
    }


@pytest.mark.parametrize(("start", "first"), [("continue", None), ("0", 0), ("17", 17), (17, 17)])
def test_start_is_a_draw_or_none(start, first):
    assert PostingOrder.parse(start=start).first_draw == first


@pytest.mark.parametrize("mode", ["record", "records"])
def test_a_dag_with_a_stream_takes_a_mode_too(mode):
    assert copy.copy(STREAM_POSTING_PARAMS["mode"]).resolve(mode) == mode
    assert PostingOrder.parse(mode=mode).mode == mode
    assert {**STREAM_POSTING_PARAMS, "mode": None} == {**POSTING_PARAMS, "mode": None}


@pytest.mark.parametrize("mode", ["rows", "", None])
def test_a_mode_that_is_none_is_refused(mode):
    with pytest.raises(ParamValidationError):
        copy.copy(STREAM_POSTING_PARAMS["mode"]).resolve(mode)
    with pytest.raises(PostingOrderError, match="mode: "):
        PostingOrder.parse(mode=mode)


def test_many_records_a_request_are_the_default():
    assert STREAM_POSTING_PARAMS["mode"].value == PostingOrder().mode == "records"
