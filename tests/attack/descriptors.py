"""Visitors who come in crowds and stay: they must leave descriptors for everybody else."""

import contextlib
import os
import pathlib
import socket
import subprocess
import time

import machine
import source
from arena import needs
from processes import Failure
from result import Attack

CROWD = 1300
NEWCOMER_BAR = 5  # seconds until a client that comes during the attack is ready


def come(port, addresses):
    """CROWD visitors who say nothing; how many of them the kernel took, and they themselves."""
    crowd = contextlib.ExitStack()
    taken = 0
    for each in range(CROWD):
        where = (f"127.2.0.{each % addresses + 1}", 0)
        with contextlib.suppress(OSError):
            crowd.enter_context(socket.create_connection(("127.0.0.1", port), 0.2, where))
            taken += 1
    return taken, crowd


def served(port):
    with contextlib.suppress(OSError), source.visit(port, 0, 0, NEWCOMER_BAR) as sock:
        source.ask(sock, b"hello")
        return True
    return False


def open_descriptors(process):
    return len(list(pathlib.Path(f"/proc/{process.pid}/fd").iterdir()))


def idle_crowd(limits, addresses, all_fit):
    def act(arena):
        arena.open(before=["prlimit", f"--nofile={limits}"])
        beside = arena.start_client("beside", arena.service)
        wrong = []
        with arena.neighbour(beside) as neighbour:
            taken, crowd = come(arena.public, addresses)
            with crowd:
                begin = time.monotonic()
                try:
                    newcomer = arena.start_client("newcomer", arena.service)
                    ready = time.monotonic() - begin
                    with source.visit(newcomer, 0, 0, NEWCOMER_BAR) as sock:
                        source.ask(sock, b"hello")
                except (OSError, Failure, TimeoutError) as e:
                    ready = time.monotonic() - begin
                    wrong.append(f"a client that came then was not served: {e}")
                used = open_descriptors(arena.server)
                refused = 0
                try:
                    refused = arena.counters()["visitors_crowded"]
                    if not all_fit and not refused:
                        # A full port lets a burst queue for some seconds before it refuses anybody.
                        arena.processes.await_that(lambda: "is refused" in arena.processes.log("server"), "a refusal", 10)
                        refused = arena.counters()["visitors_crowded"]
                except (KeyError, TimeoutError, Failure, subprocess.CalledProcessError) as e:
                    wrong.append(f"the server's status does not tell of refusals: {e}")
        if ready > NEWCOMER_BAR:
            wrong.append(f"a client that came then was ready after {ready:.1f} s")
        if neighbour.failures:
            wrong.append(f"{len(neighbour.failures)} visitors of another client failed: {neighbour.failures[0]}")
        if all_fit and refused:
            wrong.append(f"{refused} visitors were refused, and there was room for all of them")
        if not all_fit and "is refused" not in arena.processes.log("server"):
            wrong.append("no line in the log tells of it")
        return (f"{taken} idle visitors at one port from {addresses} addresses, {limits} descriptors",
                f"{used} in use, {refused} visitors refused; a new client ready after {ready:.2f} s, the neighbour's worst "
                f"answer {neighbour.worst * 1000:.0f} ms", wrong)
    return act


def idle_crowd_at_client(arena):
    """The client's own limit: it must have descriptors left for another carrier."""
    arena.start_server()
    arena.service = arena.start_service()
    arena.public = arena.start_client("client", arena.service, before=["prlimit", "--nofile=1024:1024"])
    taken, crowd = come(arena.public, 50)
    wrong = []
    with crowd:
        time.sleep(arena.seconds(5, 1))
        used = open_descriptors(arena.processes.running["client"])
    if used >= 1000:
        wrong.append(f"{used} of the client's 1024 descriptors are in use: none is left for a new carrier")
    if "visitors are there" not in arena.processes.log("client"):
        wrong.append("no line in the client's log tells of it")
    try:
        arena.processes.await_that(lambda: served(arena.public), "a visitor to be served afterwards", NEWCOMER_BAR)
    except (Failure, TimeoutError) as e:
        wrong.append(str(e))
    return (f"{taken} idle visitors, 1024 descriptors for the client", f"{used} in use", wrong)


def own_public_port(arena):
    """The local target is the public port itself: each dial would be the next visitor."""
    arena.open()
    itself = machine.free_port()
    arena.start_client("itself", itself, "-remote-port", itself)
    with arena.neighbour() as neighbour:
        for _ in range(10):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", itself), 5) as sock:
                sock.sendall(b"round and round")
                sock.recv(1)
        used = open_descriptors(arena.server)
        visits = arena.counters()["visitors_total"]
    wrong = []
    if used > 100:
        wrong.append(f"{used} descriptors are in use")
    if neighbour.failures:
        wrong.append(f"{len(neighbour.failures)} visitors of another client failed: {neighbour.failures[0]}")
    if "is this client's own public port" not in arena.processes.log("itself"):
        wrong.append("no line in the log tells of it")
    return ("10 visitors of a port whose local target is that port", f"{used} descriptors in use, {visits} visits in all", wrong)


def why_no_killing():
    if os.geteuid() != 0:
        return "only root can end a socket of others"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        kill_listener(probe.getsockname()[1])
        try:
            socket.create_connection(probe.getsockname(), 0.2).close()
            return "this kernel ends no sockets (INET_DIAG_DESTROY)"
        except OSError:
            return None


def kill_listener(port):
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(["ss", "-K", "state", "listening", "sport", "=", f":{port}"], capture_output=True, timeout=10)


@needs(why_no_killing)
def killed_listeners(arena):
    arena.open()
    for _ in range(3):
        kill_listener(arena.port)
        kill_listener(arena.public)
    wrong = []
    begin = time.monotonic()
    try:
        arena.processes.await_that(lambda: served(arena.public), "the public port to be listened on", 10)
        arena.start_client("newcomer", arena.service)
    except (Failure, TimeoutError) as e:
        wrong.append(str(e))
    healed = time.monotonic() - begin
    busy = processor_seconds(arena.server)
    time.sleep(1)
    busy = processor_seconds(arena.server) - busy
    if busy > 0.3:
        wrong.append(f"the server is busy for {busy:.2f} s of a second")
    return ("both listeners ended by `ss -K`, three times", f"served again after {healed:.2f} s, {busy * 100:.0f} % of a core", wrong)


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / machine.TICKS


ATTACKS = [Attack("descriptors", idle_crowd("1024:1024", 1, all_fit=False)),
           Attack("descriptors-many", idle_crowd("1024:1024", 200, all_fit=False)),
           Attack("descriptors-soft", idle_crowd("1024:4096", 200, all_fit=True)),
           Attack("descriptors-client", idle_crowd_at_client), Attack("own-port", own_public_port),
           Attack("killed-listeners", killed_listeners)]
