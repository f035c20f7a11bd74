"""Faults that need a tunnel of their own: what ends connections, or strikes a program and not the line.

Each takes a Room, in which nothing runs but a source.py at the right end, and returns its Result.
"""

import socket
import sys
import time

import source
from result import Result
from shared import HERE
from tunnel import Tunnel, await_that, descriptors

SERVICE = 9000
PUBLIC = 8000
MEGABYTE = 1024 * 1024


class Room:
    def __init__(self, options, line, processes):
        self.options = options
        self.line = line
        self.processes = processes
        self.tunnel = Tunnel(options.gotunnel, line, processes)

    def start_service(self):
        self.processes.start("source", self.line.at("right", sys.executable, HERE / "source.py", SERVICE))
        self.processes.await_that(lambda: "serving" in self.processes.log("source"), "source.py")

    def open(self, server=(), client=(), **options):
        """A tunnel to the service; `options` are of both programs."""
        self.tunnel.start_server(*server, **options.get("of_server", {}))
        self.tunnel.start_client("client", PUBLIC, SERVICE, *client, **options.get("of_client", {}))

    def close(self):
        for name in ("client", "server"):
            if name in self.processes.running:
                self.tunnel.leave(name)

    def visit(self, count=0, seed=0, patience=30):
        with self.line.inside("left"):
            return source.visit(PUBLIC, count, seed, patience)

    def served(self):
        """Whether a new visitor gets an answer now."""
        try:
            with self.visit(patience=1) as visitor:
                return source.ask(visitor, b"anybody there?") >= 0
        except OSError:
            return False


def stalled_reader(room):
    """One visitor of 1,000 reads nothing while the others fetch what they came for; then it reads all of it."""
    crowd, each, held = (200, 64 * 1024, 8 * MEGABYTE) if room.options.sanitized else (999, 128 * 1024, 32 * MEGABYTE)
    room.open()

    def fetch():
        seeds = range(1, crowd + 1)
        visitors = [room.visit(each, seed) for seed in seeds]
        begin = time.monotonic()
        missing, right = source.drain(visitors, each, seeds)
        for visitor in visitors:
            visitor.close()
        return missing, right, time.monotonic() - begin

    missing, right, alone = fetch()
    stalled = room.visit(held, 0)
    # Until the tunnel has taken all that it will take for it.
    room.processes.await_that(lambda: bool(stalled.recv(1, socket.MSG_PEEK)), "its first byte")
    more_missing, more_right, beside = fetch()
    held_missing, held_right = source.drain([stalled], held, [0])
    stalled.close()
    lost = missing + more_missing + held_missing
    wrong = [] if right and more_right and held_right and not lost else ["the bytes that came are not those that were sent"]
    if beside > 2 * alone + 1:
        wrong.append(f"the others took {beside:.1f} s, without the stalled one {alone:.1f} s")
    return Result("stalled", f"one reader of {crowd + 1} stalled ({alone:.1f} s without it, {beside:.1f} s beside it)",
                  f"{crowd} downloads, and {held // MEGABYTE} MiB for the stalled one", 2 * crowd * each + held - lost, lost,
                  None, wrong=wrong)


def without_descriptors(who):
    def make(room):
        limit = ["prlimit", "--nofile=96:96"]
        room.open(**{f"of_{who}": {"before": limit}})
        first = room.visit()
        source.ask(first, b"before")
        used = descriptors(room.processes.running[who].pid)
        crowd = []
        refused = 0
        worst = 0
        for _ in range(150):
            try:
                crowd.append(room.visit(patience=0.2))
            except OSError:
                refused += 1
            worst = max(worst, source.ask(first, b"still here?"))
        most = descriptors(room.processes.running[who].pid)
        for visitor in crowd:
            visitor.close()
        wrong = []
        if most < 90:
            wrong.append(f"only {most} of 96 descriptors were used, so nothing was tried")
        try:
            await_that(room.served, "a new visitor to be served")
            await_that(lambda: descriptors(room.processes.running[who].pid) <= used, "the descriptors to be given back")
            worst = max(worst, source.ask(first, b"after"))
        except (OSError, TimeoutError) as e:
            wrong.append(str(e))
        if "was lost" in room.processes.log("client"):
            wrong.append("the session broke")
        first.close()
        return Result(f"descriptors-{who}", f"150 visitors, and 96 descriptors for the {who}; {refused} refused",
                      "a visitor who asks", len(crowd) + 2, 0, 1000 * worst, wrong=wrong)
    return make


def killed(room):
    """Here connections end: a killed server keeps nothing. The port comes back, and new visitors are served."""
    room.open()
    visitors = [room.visit() for _ in range(10)]
    for visitor in visitors:
        source.ask(visitor, b"before")
    room.tunnel.kill("server")
    ended = 0
    for visitor in visitors:
        try:
            ended += not visitor.recv(1)
        except OSError:
            ended += 1
    killed_at = time.monotonic()
    time.sleep(1)
    room.tunnel.start_server(name="server")
    started = time.monotonic()
    await_that(room.served, "a new visitor to be served")
    away = time.monotonic() - started
    wrong = [] if ended == 10 else [f"{10 - ended} visitors were left hanging"]
    size = 4 * MEGABYTE
    with room.visit(size, 7) as visitor:
        lost, right = source.drain([visitor], size, [7])
    if not right:
        wrong.append("what a new visitor fetched is wrong")
    return Result("killed", f"the server killed, and started {started - killed_at:.1f} s later; 10 visitors ended with it; a new "
                  f"one is served {away:.2f} s after the start", "10 visitors; afterwards a download", size - lost, lost, None,
                  wrong=wrong)


class Fault:
    def __init__(self, name, make):
        self.name = name
        self.make = make


FAULTS = [Fault("stalled", stalled_reader), Fault("descriptors-server", without_descriptors("server")),
          Fault("descriptors-client", without_descriptors("client")), Fault("killed", killed)]


def run(options, line, processes, wanted):
    chosen = [each for each in FAULTS if each.name in wanted]
    room = Room(options, line, processes)
    if chosen:
        room.start_service()
    for each in chosen:
        try:
            yield each.make(room)
        finally:
            room.close()
