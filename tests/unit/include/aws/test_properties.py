"""Properties files."""

from __future__ import annotations

import pytest

from include.aws.properties import parse_properties


def test_properties_are_read_as_they_stand():
    text = "# a comment\n\na = 1\nb=x=y\ntopics.regex=u\\.(pin|geo)\na=2\n"

    assert parse_properties(text) == {"a": "2", "b": "x=y", "topics.regex": "u\\.(pin|geo)"}


def test_a_line_that_is_no_property():
    with pytest.raises(ValueError, match="line 2: expected key=value, got 'nonsense'"):
        parse_properties("a=1\nnonsense")
