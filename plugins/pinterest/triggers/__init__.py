"""Deferred waits, importable by the triggerer."""
