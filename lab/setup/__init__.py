"""What the lab installs once: Python environments, a Java runtime, jars, MariaDB, the mirror's archives."""
