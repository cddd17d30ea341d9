"""Posting emulation: which posts a run makes, reading their rows from the source, sending them through the REST API."""
