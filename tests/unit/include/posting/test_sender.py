"""How long a sender waits before it tries again."""

from __future__ import annotations

from include.posting.sender import RetryPolicy


def test_waits_double_up_to_a_limit_less_a_random_part():
    policy = RetryPolicy(first_wait=1, longest_wait=10)

    for failures, longest in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (50, 10)]:
        waits = {policy.wait(failures) for _ in range(50)}
        assert longest / 2 <= min(waits) <= max(waits) <= longest
        assert len(waits) > 1


def test_the_servers_wish_to_wait_is_granted_within_the_limit():
    policy = RetryPolicy(first_wait=1, longest_wait=10)

    assert policy.wait(1, asked=7) == 7
    assert policy.wait(1, asked=3600) == 10
