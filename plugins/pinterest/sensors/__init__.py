"""Sensors, one module per service."""
