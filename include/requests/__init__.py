"""Requests to other systems as plain data; a value may be a template."""
