"""Posting emulation: draws posts, reads their rows from the source and sends them through the REST API."""
