"""A server, a client and a service on loopback, and a neighbour: a visitor who must not notice the attack.

  with Arena(options, place) as arena:
      arena.open("-memory-limit", "64M")           # the server; a client with the service behind it; both ready
      with arena.neighbour() as neighbour:         # asks the service every 20 ms from here on
          ...the attack...
      neighbour.worst, neighbour.failures          # the longest answer in seconds; answers that never came
      arena.counters()["proofs_failed"]
"""

import json
import pathlib
import secrets
import subprocess
import sys
import threading
import time

import machine
import source
from processes import Processes

PATIENCE = 30  # seconds; many times what anything here takes
CHAOS = pathlib.Path(source.__file__)


def needs(why_not):
    """Marks an attack that cannot be tried everywhere: `why_not()` says why, or None."""
    def mark(act):
        act.why_not = why_not
        return act
    return mark


class Neighbour:
    """Asks on a connection of its own at a time, a new one every tenth question."""

    def __init__(self, port, pause=0.02):
        self.port = port
        self.pause = pause
        self.worst = 0.0
        self.answers = 0
        self.failures = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask_on, daemon=True)

    def _ask_on(self):
        while not self._over.is_set():
            begin = time.monotonic()
            try:
                with source.visit(self.port, 0, 0, PATIENCE) as sock:
                    for _ in range(10):
                        source.ask(sock, b"still there?")
                        self.answers += 1
                        self.worst = max(self.worst, time.monotonic() - begin)
                        if self._over.wait(self.pause):
                            return
                        begin = time.monotonic()
            except OSError as e:
                self.worst = max(self.worst, time.monotonic() - begin)
                self.failures.append(str(e))
                self._over.wait(self.pause)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(2 * PATIENCE)


class Arena:
    def __init__(self, options, place):
        self.gotunnel = str(options.gotunnel)
        self.long = options.long
        self.sanitized = options.sanitized
        self.place = pathlib.Path(place)
        self.processes = Processes(place)
        self.certs = self.place / "certs"
        self.secret = self.place / "secret"
        self.secret.touch(0o600)
        self.secret.write_text(secrets.token_hex(24) + "\n")

    def obstacle_to(self, act):
        why_not = getattr(act, "why_not", None)
        return why_not() if why_not else None

    def open(self, *of_server, of_client=(), before=()):
        """`before`: words that the server's command runs behind."""
        self.start_server(*of_server, before=before)
        self.service = self.start_service()
        self.public = self.start_client("client", self.service, *of_client)

    def start_server(self, *more, before=()):
        self.port = machine.free_port()
        command = [*before, self.gotunnel, "server", "-secret-file", self.secret, "-certs", self.certs, "-listen",
                   f"127.0.0.1:{self.port}", "-bind", "127.0.0.1", "-grace", "1s", *more]
        self.server = self.processes.start("server", command)
        self.processes.await_that(lambda: "is ready on" in self.processes.log("server"), "the server", PATIENCE)

    def start_service(self):
        port = machine.free_port()
        self.processes.start("service", [sys.executable, CHAOS, port])
        self.processes.await_that(lambda: "serving" in self.processes.log("service"), "the service", PATIENCE)
        return port

    def start_client(self, name, target, *more, state=None, before=()):
        """Its public port, when that is open. `state`: the name of the client whose id it has. `before`: words that the command
        runs behind."""
        public = machine.free_port()
        self.processes.start(name, [
            *before, self.gotunnel, "client", "-secret-file", self.secret, "-ca", self.certs / "ca.crt", "-state-dir",
            self.place / f"state-{state or name}", "-server", f"127.0.0.1:{self.port}", "-remote-port", public, "-local-target",
            f"127.0.0.1:{target}", "-grace", "1s", *more])
        self.processes.await_that(lambda: "ready: " in self.processes.log(name), name, PATIENCE)
        return public

    def neighbour(self, port=None):
        return Neighbour(port or self.public)

    def seconds(self, long, short):
        return long if self.long else short

    def memory_kib(self):
        """Anonymous memory of the server."""
        return machine.memory_kib([self.server.pid])["private"]

    def status(self):
        done = subprocess.run([self.gotunnel, "server", "status", "-json", "-certs", self.certs], capture_output=True,
                              text=True, timeout=PATIENCE, check=True)
        return json.loads(done.stdout)

    def counters(self):
        return self.status()["counters"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.processes.end()
