"""Thin clients of the systems that the pipeline talks to."""
