"""The source: a MariaDB server with three tables. 449 of their rows are real; a seeded generator makes all others."""
