"""What the lab installs once: Python environments, a Java runtime, jars, MariaDB, the archives of the mirror."""
