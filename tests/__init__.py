"""Tests lie where their subject lies.

``tests/unit/include/landing/test_coverage.py`` tests ``include/landing/coverage.py``, ``plugins`` stands for
``plugins/pinterest``; ``tests/local`` has the same folders for tests that need sockets, shells or SSH on loopback.
``test_posting_kafka.py`` is an aspect of ``posting.py``. What concerns more than one module lies in ``tests/unit``
itself. ``test_layout.py`` there holds every file to this.
"""
