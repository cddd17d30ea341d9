"""How far the lake has loaded: never back."""

from __future__ import annotations

from include.landing.bookmark import Place, advance, parse_bookmark


def test_the_bookmark_never_goes_back():
    bookmark = parse_bookmark(
        '{"u.pin": {"0": {"next_offset": 900, "object": "b"}, "1": {"next_offset": 5, "object": "a"}}}'
    )
    loaded = {
        "u.pin": {"0": Place(next_offset=700, object="a"), "1": Place(next_offset=6, object="c")},
        "u.geo": {"0": Place(next_offset=4, object="d")},
    }

    assert advance(bookmark, loaded) == {
        "u.pin": {"0": Place(next_offset=900, object="b"), "1": Place(next_offset=6, object="c")},
        "u.geo": {"0": Place(next_offset=4, object="d")},
    }


def test_an_interval_of_nothing_but_dead_letters_keeps_the_object():
    bookmark = {"u.pin": {"0": Place(next_offset=10, object="a")}}

    assert advance(bookmark, {"u.pin": {"0": Place(next_offset=12)}}) == {
        "u.pin": {"0": Place(next_offset=12, object="a")}
    }
