"""Bounds of what a run may be asked for, where it is carried out."""

from __future__ import annotations

import pytest

from include.posting.order import PostingOrder, PostingOrderError
from tests.unit.posting_values import BAD


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_task_refuses_and_names_the_param(name, value):
    with pytest.raises(PostingOrderError) as error:
        PostingOrder.parse(**{name: value})
    assert f"{name}: " in str(error.value)
    assert repr(str(value) if name == "start" else value) in str(error.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(PostingOrderError, match=r"posts: .*seed: .*start: .*pace: .*batch_size: "):
        PostingOrder.parse(posts=0, seed=-1, start="x", pace="y", batch_size=0)


@pytest.mark.parametrize(("start", "first"), [("continue", None), ("0", 0), ("17", 17), (17, 17)])
def test_start_is_a_draw_or_none(start, first):
    assert PostingOrder.parse(start=start).first_draw == first
