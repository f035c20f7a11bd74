"""gotunnel at the two ends of a line: the server on the left, clients on the right, public ports on the left loopback."""

import json
import os
import pathlib
import secrets
import signal
import subprocess
import time

import line as lines
from processes import Failure

TUNNEL_PORT = 7000
PATIENCE = 30  # seconds; many times what anything here takes on a machine that does nothing else


class Tunnel:
    def __init__(self, gotunnel, line, processes):
        self.gotunnel = str(gotunnel)
        self.line = line
        self.processes = processes
        self.place = processes.place
        self.certs = self.place / "certs"
        self.secret = self.place / "secret"
        self.successor = None  # process id of the server after an upgrade, which is no child of ours
        if not self.secret.exists():
            self.secret.touch(0o600)
            self.secret.write_text(secrets.token_hex(24) + "\n")

    def server_command(self, *more, before=()):
        return self.line.at("left", *before, self.gotunnel, "server", "-secret-file", self.secret, "-certs", self.certs,
                            "-listen", f"{lines.SERVER}:{TUNNEL_PORT}", "-bind", "127.0.0.1", "-grace", "1s", *more)

    def start_server(self, *more, name="server", before=(), **options):
        """`before` are words that the command runs behind, like prlimit and its limits."""
        process = self.processes.start(name, self.server_command(*more, before=before), **options)
        self.processes.await_that(lambda: "is ready on" in self.processes.log(name), "the server", PATIENCE)
        return process

    def begin_client(self, name, public, target, *more, before=(), **options):
        """Does not wait for it."""
        where = ["-server", f"{lines.SERVER}:{TUNNEL_PORT}", "-remote-port", public, "-local-target", f"127.0.0.1:{target}"]
        command = self.line.at("right", *before, self.gotunnel, "client", "-secret-file", self.secret, "-ca",
                               self.certs / "ca.crt", "-state-dir", self.place / f"state-{name}", "-grace", "1s", *where, *more)
        return self.processes.start(name, command, **options)

    def start_client(self, name, *where, **options):
        """When its port is open."""
        process = self.begin_client(name, *where, **options)
        self.processes.await_that(lambda: "ready: " in self.processes.log(name), name, PATIENCE)
        return process

    def leave(self, name):
        """By SIGTERM; its exit code."""
        process = self.processes.running.pop(name)
        process.terminate()
        return process.wait(PATIENCE)

    def kill(self, name):
        process = self.processes.running.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)

    def upgrade(self):
        """Has another process serve, and waits for the end of the one before; what the command said of it."""
        command = [self.gotunnel, "server", "upgrade", "-json", "-certs", self.certs]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE)
        if done.returncode != 0:
            raise Failure(f"upgrade: {done.stderr.strip()}")
        said, former = json.loads(done.stdout), self.successor
        self.successor = said["pid"]
        if "server" in self.processes.running:
            self.processes.running.pop("server").wait(PATIENCE)
        if former:
            await_that(lambda: ended(former), "the end of the former server")
        return said

    def leave_successor(self):
        """By SIGTERM, if there is one."""
        if self.successor:
            os.kill(self.successor, signal.SIGTERM)
            await_that(lambda: ended(self.successor), "the end of the new server")
            self.successor = None

    def status(self):
        """What `server status` says, or None while nobody answers."""
        done = subprocess.run([self.gotunnel, "server", "status", "-json", "-certs", self.certs], capture_output=True,
                              text=True, timeout=PATIENCE)
        return json.loads(done.stdout) if done.returncode == 0 else None


def ended(pid):
    """Also when nobody has asked yet how."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def descriptors(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def await_that(holds, what, seconds=PATIENCE):
    """Until `holds()` says something; that. Polls, because what it asks has no other way to tell."""
    end = time.monotonic() + seconds
    while not (said := holds()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return said
