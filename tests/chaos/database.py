"""What answers small questions at the right end all the time: a PostgreSQL with pgbench, or exchange.py in its place.

pgbench keeps its connections for the whole run, so one that breaks is a failed run.
"""

import pathlib
import pwd
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PORT = 5432
PUBLIC = 8432
CONNECTIONS = 4
CREATE_SECONDS = 60


class Exchange:
    name = "exchange.py (no pgbench here)"

    def __init__(self, line, processes):
        self.line = line
        self.processes = processes

    def start(self):
        self.processes.start("exchange", self.line.at("right", sys.executable, HERE / "exchange.py", "serve", PORT))
        self.processes.await_that(lambda: "serving" in self.processes.log("exchange"), "exchange.py")

    def fill(self):
        pass

    def ask(self, seconds):
        """The command of a run of so many seconds through the tunnel."""
        return self.line.at("left", sys.executable, HERE / "exchange.py", "ask", f"127.0.0.1:{PUBLIC}", CONNECTIONS, seconds)

    def verdict(self, code, said):
        """(what ran, what was wrong or None)"""
        return said.strip().splitlines()[-1] if said.strip() else "nothing", None if code == 0 else said.strip()[-300:]


class Postgres(Exchange):
    name = "pgbench"

    def start(self):
        place = self.processes.place
        data = place / "data"
        data.mkdir(mode=0o700)
        shutil.chown(data, "postgres")
        binaries = postgres_binaries()
        as_user = ["runuser", "-u", "postgres", "--"]
        subprocess.run([*as_user, binaries / "initdb", "-D", data, "-A", "trust", "-U", "tester", "--no-sync"], check=True,
                       capture_output=True, timeout=CREATE_SECONDS, cwd="/")
        server = [*as_user, binaries / "postgres", "-D", data, "-p", PORT, "-c", "listen_addresses=127.0.0.1",
                  "-c", "unix_socket_directories=", "-c", "fsync=off"]
        self.processes.start("postgres", self.line.at("right", *server))
        self.processes.await_that(lambda: "ready to accept connections" in self.processes.log("postgres"), "postgres", 30)

    def fill(self):
        subprocess.run(self._pgbench("-i", "-q", "-s", 1), check=True, capture_output=True, timeout=CREATE_SECONDS)

    def ask(self, seconds):
        return self._pgbench("-n", "-c", CONNECTIONS, "-j", 1, "-T", round(seconds))

    def _pgbench(self, *words):
        return self.line.at("left", "pgbench", "-h", "127.0.0.1", "-p", PUBLIC, "-U", "tester", *words, "postgres")

    def verdict(self, code, said):
        done = re.search(r"number of transactions actually processed: (\d+)", said)
        failed = re.search(r"number of failed transactions: (\d+)", said)
        what = f"{done.group(1)} transactions" if done else "no transactions"
        right = code == 0 and done and int(done.group(1)) > 0 and failed and failed.group(1) == "0"
        return what, None if right else said.strip()[-300:]


def postgres_binaries():
    """The newest of Debian's, or None."""
    places = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


def find(line, processes):
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        return Exchange(line, processes)
    if postgres_binaries() and shutil.which("pgbench") and shutil.which("runuser"):
        return Postgres(line, processes)
    return Exchange(line, processes)
