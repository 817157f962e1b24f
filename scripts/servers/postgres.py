"""PostgreSQL: a cluster of its own with one role and one database, both called fehmarn. The role may make more databases."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from servers.install import checked
from servers.plan import HOST
from servers.process import Trouble
from servers.service import Service


class Postgres(Service):
    name = "postgres"
    needs_root = True
    user = "postgres"
    pid_files = ("data/postmaster.pid",)
    # Fast shutdown: the polite SIGTERM waits until every client has gone.
    stop_signal = signal.SIGINT

    def configure(self):
        self.folder(self.home, "postgres", "postgres", 0o755)
        data = self.home / "data"
        if not (data / "PG_VERSION").exists():
            shutil.rmtree(data, ignore_errors=True)
            partial = self.home / "data.part"
            shutil.rmtree(partial, ignore_errors=True)
            self.as_postgres("initdb", "-D", partial, "-U", "fehmarn", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
            partial.rename(data)

    def argv(self):
        settings = {
            "port": self.plan.port("postgres"),
            "listen_addresses": HOST,
            # Its lock file would outlive a crash.
            "unix_socket_directories": "",
            "max_connections": 300,
            "fsync": "on",
        }
        return [program("postgres"), "-D", self.home / "data"] + [f"--{key}={value}" for key, value in settings.items()]

    def ready(self):
        return self.client("select 1") == "1"

    def after_ready(self):
        if self.client("select 1 from pg_database where datname = 'fehmarn'") != "1":
            self.client("create database fehmarn")

    def client(self, sql):
        """The answer to one query in the database that every cluster has."""
        command = [program("psql"), "-h", HOST, "-p", str(self.plan.port("postgres")), "-U", "fehmarn", "-d", "postgres", "-Atqc", sql]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        except subprocess.TimeoutExpired:
            raise ConnectionError("no answer to a query") from None
        if done.returncode:
            raise ConnectionError(done.stderr.strip())
        return done.stdout.strip()

    def as_postgres(self, name, *arguments):
        # From a folder that this user may be in.
        checked([program(name), *arguments], user="postgres", folder=self.home)

    def where(self):
        return f"postgres://fehmarn@{HOST}:{self.plan.port('postgres')}/fehmarn"


def program(name):
    """Debian keeps the server's programs out of PATH, one folder for each version; the newest is taken."""
    versions = [path for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}") if os.access(path, os.X_OK)]
    if not versions:
        raise Trouble(f"PostgreSQL's {name} is not installed")
    return max(versions, key=lambda path: float(path.parent.parent.name))
