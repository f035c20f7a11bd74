"""What visitors do to other visitors of the same client."""

import collections
import errno
import itertools
import os
import pathlib
import selectors
import socket
import subprocess
import sys
import time

import machine
import source
from arena import PATIENCE, Neighbour
from result import Attack

WORST_ANSWER = 0.25  # seconds, beyond what the service itself takes
IP_BIND_ADDRESS_NO_PORT = 24  # of <linux/in.h>
LARGE = 256 << 20  # bytes that each of them asks for
# At once; then those that were there longest are dropped. Each costs the kernel half a MiB at both ends: with many more, here
# where both ends are one machine, its memory for all of TCP (tcp_mem) runs out, and every connection of the machine stalls.
MOST_HELD = 1500


def come_and_do_not_read(port, rate, seconds):
    """How many came. They come from many addresses, ask for a large file, and never read a byte."""
    sources = itertools.cycle(f"127.2.{each // 250}.{each % 250 + 1}" for each in range(1000))
    held = collections.deque()
    waiting = selectors.DefaultSelector()
    begin = time.monotonic()
    came = 0
    while (passed := time.monotonic() - begin) < seconds:
        for _ in range(int(passed * rate) - came):
            came += 1
            sock = socket.socket()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            # Segments as on a real line: with those of loopback each would take megabytes of kernel memory.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
            sock.bind((next(sources), 0))
            if sock.connect_ex(("127.0.0.1", port)) == errno.EINPROGRESS:
                waiting.register(sock, selectors.EVENT_WRITE)
        for key, _ in waiting.select(0.005):
            waiting.unregister(key.fileobj)
            try:
                key.fileobj.send(source.REQUEST.pack(LARGE, 0))
            except OSError:
                continue
            held.append(key.fileobj)
            if len(held) > MOST_HELD:
                held.popleft().close()
    return came


# Programs of this folder find the modules of others by it.
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
FILES = pathlib.Path(__file__).with_name("large_files.py")


def open_with_files(arena, *of_server):
    """As Arena.open(), with a service that gives large files. Its port."""
    arena.start_server(*of_server)
    port = machine.free_port()
    arena.processes.start("service", ["env", f"PYTHONPATH={ENVIRONMENT['PYTHONPATH']}", sys.executable, FILES, port])
    arena.processes.await_that(lambda: "serving" in arena.processes.log("service"), "the service", PATIENCE)
    arena.public = arena.start_client("client", port)
    return port


def non_readers(rate):
    def act(arena):
        # With less memory the short way comes to the same.
        service = open_with_files(arena, "-memory-limit", arena.seconds("64M", "16M"))
        seconds = arena.seconds(60, 8)
        with Neighbour(service) as direct, arena.neighbour() as neighbour:
            attacker = subprocess.run([sys.executable, __file__, str(arena.public), str(rate), str(seconds)],
                                      stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + 60,
                                      env=ENVIRONMENT)
        came = int(attacker.stdout)
        wrong = []
        if neighbour.worst > WORST_ANSWER + direct.worst and not arena.sanitized:
            wrong.append(f"another visitor waited for {neighbour.worst * 1000:.0f} ms, and may for {WORST_ANSWER * 1000:.0f}")
        if neighbour.failures:
            wrong.append(f"{len(neighbour.failures)} other visitors failed: {neighbour.failures[0]}")
        if "was lost" in arena.processes.log("client"):
            wrong.append("the session was lost")
        return (f"{came / seconds:.0f} visitors a second for {seconds} s, who ask for a large file and do not read",
                f"worst answer of another visitor {neighbour.worst * 1000:.0f} ms, of the service itself "
                f"{direct.worst * 1000:.0f} ms, {neighbour.answers} answers; {arena.counters()['streams_not_read']} were reset, "
                f"server at {arena.memory_kib() // 1024} MiB", wrong)
    return act


ATTACKS = [Attack("non-readers", non_readers(60)), Attack("non-readers-many", non_readers(600))]


if __name__ == "__main__":
    # A process of its own: its work must not hold up the neighbour's questions.
    os.nice(1)
    print(come_and_do_not_read(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
