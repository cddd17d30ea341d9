"""The source database: the lab's own MariaDB server, its two users, and the rows of the source tables."""

from __future__ import annotations

import os
import shutil

import pymysql

from lab.progress import Work
from lab.setup.mariadb import installed
from lab.source import loader
from lab.state import State, write_private

SCHEMA = "pinterest_data"
ADMIN = "lab_admin"
READER = "pinterest_reader"
ADMIN_SECRET = "mariadb_admin"
READER_SECRET = "mariadb_reader"
# mariadbd closes its stdin, a pipe of supervisord's. supervisord's poll may still watch that file descriptor from an
# earlier connection, and would then return at once, again and again: it keeps a core busy. So the pipe stays open.
KEEP_STDIN_OPEN = ("/bin/sh", "-c", 'exec "$0" "$@" 3<&0')


def command(state: State) -> list[str]:
    server = installed(state)
    folder = state.path("mariadb")
    return [
        *KEEP_STDIN_OPEN,
        server.server,
        "--no-defaults",  # works only as the first argument
        f"--basedir={server.base}",
        f"--datadir={folder}/data",
        f"--lc-messages-dir={server.messages}",
        f"--socket={state.socket('mariadb')}",
        f"--pid-file={folder}/mariadb.pid",
        f"--init-file={folder}/users.sql",
        "--bind-address=127.0.0.1",
        f"--port={state.port('mariadb')}",
        "--user=root",  # ignored unless we are root, and then required
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_unicode_ci",
        "--skip-name-resolve",
        "--skip-ssl",  # else a newer MariaDB makes a certificate that nobody trusts
        "--performance-schema=OFF",
        "--innodb-buffer-pool-size=32M",
        "--innodb-log-file-size=16M",
        "--innodb-log-buffer-size=2M",
        "--aria-pagecache-buffer-size=8M",
        "--key-buffer-size=1M",
    ]


def environment(state: State) -> dict[str, str]:
    return installed(state).environment


def prepare(state: State, work: Work) -> None:
    """Create the data folder (all or nothing), and write the statements that the server runs at every start."""
    folder = state.path("mariadb")
    folder.mkdir(exist_ok=True)
    write_private(folder / "users.sql", users(state))
    if (folder / "data").exists():
        return
    server = installed(state)
    fresh = folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    work.note = "creating the database"
    work.command(
        *(server.install_db, "--no-defaults", f"--basedir={server.base}", f"--datadir={fresh}"),
        f"--lc-messages-dir={server.messages}",
        *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
        *(["--user=root"] if os.geteuid() == 0 else []),  # root must name a user, and nobody else may
        environment=server.environment,
    )
    fresh.rename(folder / "data")


def users(state: State) -> str:
    """Two users: the lab's may do everything, the pipeline's may only read the source tables."""
    return f"""CREATE DATABASE IF NOT EXISTS {SCHEMA};
CREATE USER IF NOT EXISTS '{ADMIN}'@'%';
ALTER USER '{ADMIN}'@'%' IDENTIFIED BY '{state.secret(ADMIN_SECRET)}';
GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'%';
CREATE USER IF NOT EXISTS '{READER}'@'%';
ALTER USER '{READER}'@'%' IDENTIFIED BY '{state.secret(READER_SECRET)}';
GRANT SELECT ON {SCHEMA}.* TO '{READER}'@'%';
DELETE FROM mysql.global_priv WHERE User IN ('root', '');
FLUSH PRIVILEGES;
"""


def connect(state: State) -> pymysql.Connection:
    """Connect as the lab's own user."""
    return pymysql.connect(
        host="127.0.0.1",
        port=state.port("mariadb"),
        user=ADMIN,
        password=state.secret(ADMIN_SECRET),
        database=SCHEMA,
        charset="utf8mb4",
        connect_timeout=2,
        read_timeout=30,
    )


def answers(state: State, pid: int) -> bool:
    """Whether the server accepts our login, serves our data folder, and is the process that we started."""
    try:
        with connect(state) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@datadir")
            [folder] = cursor.fetchone()
        return folder.rstrip("/") == str(state.path("mariadb", "data")) and pid == int(
            state.path("mariadb", "mariadb.pid").read_text()
        )
    except (pymysql.Error, OSError, ValueError):
        return False


def load_source(state: State, work: Work) -> None:
    work.note = "loading the source rows"
    with connect(state) as connection:
        loader.load(connection, work)
