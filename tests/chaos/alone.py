"""Faults that need a tunnel of their own: what ends connections, or strikes a program and not the line.

Each takes a Room, in which nothing runs but a source.py at the right end, and returns its Result.
"""

import sys

import clocks
import crowds
import disk
import paths
import restarts
import source
from shared import HERE
from tunnel import Tunnel

SERVICE = 9000
PUBLIC = 8000


class Room:
    service = SERVICE
    public = PUBLIC

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
        self.tunnel.leave_successor()

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


class Fault:
    def __init__(self, name, make):
        self.name = name
        self.make = make


FAULTS = [Fault("stalled", crowds.stalled_reader), Fault("descriptors-server", crowds.without_descriptors("server")),
          Fault("descriptors-client", crowds.without_descriptors("client")), Fault("killed", restarts.killed),
          Fault("crowd-back", restarts.crowd_back),
          Fault("upgraded", restarts.upgraded), Fault("disk", disk.full), Fault("black-hole", paths.black_hole),
          Fault("churn", paths.churn), Fault("clock", clocks.jumping)]


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
