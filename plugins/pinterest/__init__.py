"""Hooks, operators, triggers and sensors of the Pinterest pipeline."""
