"""No space left where the certificates are: at the first start, and when they are to be renewed under a running server."""

import contextlib
import errno
import hashlib
import subprocess

import source
from clocks import YEAR, Clock
from result import Result, skipped
from tunnel import PATIENCE, await_that

ROOM = "128k"
FILES = ("ca.crt", "ca.key", "server.crt", "server.key")


class TinyDisk:
    """A file system of its own at `place`."""

    def __init__(self, place):
        self.place = place
        self.ballast = place / "ballast"

    def __enter__(self):
        self.place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0700", "tmpfs", self.place], check=True,
                       capture_output=True, timeout=PATIENCE)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.place], check=True, timeout=PATIENCE)

    def fill(self):
        with contextlib.suppress(OSError), self.ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    def free(self):
        self.ballast.unlink()

    def full(self):
        try:
            (self.place / "more").write_bytes(b"x")
            return False
        except OSError as e:
            return e.errno == errno.ENOSPC


def fingerprints(certs):
    return {name: hashlib.sha256((certs / name).read_bytes()).hexdigest() for name in FILES if (certs / name).exists()}


def one_line_about_space(said):
    lines = [each for each in said.strip().splitlines() if each]
    return len(lines) == 1 and "No space left on device" in lines[0]


def full(room):
    usual, certs = room.tunnel.certs, room.processes.place / "tiny"
    disk = TinyDisk(certs)
    try:
        disk.__enter__()
    except subprocess.CalledProcessError as e:
        return skipped("disk", e.stderr.decode().strip())
    room.tunnel.certs = certs
    try:
        return with_disk(room, disk, certs)
    finally:
        room.close()
        disk.__exit__()
        room.tunnel.certs = usual


def with_disk(room, disk, certs):
    wrong = []
    # The first start.
    disk.fill()
    first = subprocess.run(room.tunnel.server_command(), capture_output=True, text=True, timeout=PATIENCE)
    if first.returncode == 0 or not one_line_about_space(first.stderr):
        wrong.append(f"first start: exit code {first.returncode}, said {first.stderr!r}")
    if fingerprints(certs):
        wrong.append(f"the first start left {', '.join(fingerprints(certs))}")
    disk.free()
    clock = Clock(room.options.clock, room.processes.place / "clock-server") if room.options.clock else None
    room.open(server=["-cert-check", "200ms"], of_server={"before": clock.words() if clock else ()})
    visitor = room.visit()
    worst = source.ask(visitor, b"before")
    # A renewal by hand.
    before = fingerprints(certs)
    disk.fill()
    by_hand = subprocess.run([room.tunnel.gotunnel, "pki", "renew", "-certs", certs], capture_output=True, text=True,
                             timeout=PATIENCE)
    if by_hand.returncode == 0 or not one_line_about_space(by_hand.stderr):
        wrong.append(f"pki renew: exit code {by_hand.returncode}, said {by_hand.stderr!r}")
    # One that is due.
    if clock:
        clock.set(wall=YEAR - 24 * 3600)
        room.processes.await_that(lambda: "No space left on device" in room.processes.log("server"), "a failed renewal")
    if fingerprints(certs) != before:
        wrong.append("a renewal that failed has changed the files")
    worst = max(worst, source.ask(visitor, b"still here?"))
    wrong += [] if room.served() else ["a new visitor is not served"]
    disk.free()
    if clock:
        await_that(lambda: fingerprints(certs)["server.crt"] != before["server.crt"], "the renewal")
    wrong += [] if fingerprints(certs)["ca.crt"] == before["ca.crt"] else ["the CA changed"]
    worst = max(worst, source.ask(visitor, b"after"))
    visitor.close()
    renewals = "a renewal by hand and one that was due" if clock else "a renewal by hand"
    return Result("disk", f"no space for certificates at the first start, {renewals}; then space again",
                  "a visitor who asks", 0, 0, 1000 * worst, wrong=wrong)
