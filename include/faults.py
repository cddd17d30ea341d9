"""Which errors last. A task is tried again only after an error that may pass."""

from __future__ import annotations


class LastingError(Exception):
    """A fault that stays until somebody changes something: a setting, a permission, a table, this code.

    An error class says so by deriving from this one as well as from its own base; a class whose errors partly pass has
    a subclass for those that last. ``plugins/pinterest/retry_policy.py`` fails a task at once for any of them. The
    message says what to change.
    """
