"""Bounds of what a run may be asked for, where it is triggered; what passes there passes in the task."""

from __future__ import annotations

import copy

import pytest
from airflow.sdk.exceptions import ParamValidationError

from include.posting.order import PostingOrder, PostingOrderError
from pinterest.posting_params import POSTING_PARAMS, STREAM_POSTING_PARAMS
from tests.unit.posting_values import BAD, GOOD


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_a_trigger_takes(name, value):
    assert copy.copy(POSTING_PARAMS[name]).resolve(value) == value
    assert str(getattr(PostingOrder.parse(**{name: str(value)}), name)) == str(value)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_trigger_refuses(name, value):
    with pytest.raises(ParamValidationError):
        copy.copy(POSTING_PARAMS[name]).resolve(value)


def test_defaults_are_those_of_the_runbook():
    assert {name: param.value for name, param in POSTING_PARAMS.items()} == {
        "posts": 500,
        "seed": 100,
        "start": "continue",
        "pace": "none",
        "batch_size": 500,
        "on_new_identity": "fail",
    }


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
