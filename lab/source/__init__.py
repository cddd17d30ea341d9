"""The source tables' rows: 449 real ones at their own keys, all others made by a seeded generator."""
