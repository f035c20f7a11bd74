"""Whoever can make the server log a line makes it log as many as it can."""

import asyncio
import contextlib
import json
import os
import struct
import subprocess
import sys
import time

from result import Attack
from strangers import trusting_context

LINES_BAR = 20  # a second
HANDS = 8       # of each kind
SYN, PSH = 0, 2
CONTROL = 3     # the first stream of a client
PATIENCE = 10


def frame(command, payload=b""):
    return struct.pack("<BBHI", 2, command, len(payload), CONTROL) + payload


async def client(port, secret, context, remote_port):
    """Proves the secret as an original client, asks for a port, and leaves."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port, ssl=context), PATIENCE)
    try:
        writer.write(secret.encode() + b"\n")
        if b"OK" not in await asyncio.wait_for(reader.readline(), PATIENCE):
            raise ConnectionError("the secret was refused")
        request = json.dumps({"remote_port": remote_port}).encode() + b"\n"
        writer.write(frame(SYN) + frame(PSH, request))
        await asyncio.wait_for(reader.readuntil(b"status"), PATIENCE)
    finally:
        writer.transport.abort()


async def visitor(port):
    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), PATIENCE)
    try:
        await asyncio.wait_for(reader.read(1), PATIENCE)
    finally:
        writer.transport.abort()


async def stranger(port):
    _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), PATIENCE)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    writer.close()
    await writer.wait_closed()


async def for_ever(make, end, done):
    while time.monotonic() < end:
        with contextlib.suppress(OSError, EOFError, asyncio.TimeoutError):
            await make()
            done[0] += 1


async def flood(port, public, secret, seconds):
    """How often the server was given something to log."""
    context = trusting_context()
    end = time.monotonic() + seconds
    done = [0]
    kinds = [lambda: client(port, secret, context, 0), lambda: client(port, secret, context, 80), lambda: visitor(public),
             lambda: stranger(port)]
    await asyncio.gather(*(for_ever(kind, end, done) for kind in kinds for _ in range(HANDS)))
    return done[0]


def log_flood(arena):
    arena.open("-allow-visitors", "192.0.2.0/24", of_client=("-seed-peers", "off"))
    seconds = arena.seconds(30, 4)
    before = len(arena.processes.log("server").splitlines())
    done = subprocess.run([sys.executable, __file__, str(arena.port), str(arena.public), arena.secret.read_text().strip(),
                           str(seconds)], capture_output=True, text=True, timeout=seconds + 6 * PATIENCE, check=True)
    made = int(done.stdout)
    log = arena.processes.log("server").splitlines()
    lines = (len(log) - before) / seconds
    wrong = []
    if lines > LINES_BAR:
        wrong.append(f"{lines:.0f} lines a second, and at most {LINES_BAR} may be; the last is: {log[-1]}")
    if not any("more since the last such line" in each for each in log[before:]):
        wrong.append("no line says how many were held back")
    if arena.counters()["sessions_total"] < 10:
        wrong.append("hardly any client came: nothing was tried")
    return (f"clients that come, ask and go, refused binds, visitors and strangers, {made / seconds:.0f} a second for {seconds} s",
            f"{lines:.1f} lines a second", wrong)


ATTACKS = [Attack("log-flood", log_flood)]


if __name__ == "__main__":
    # A process of its own: the server's log is read meanwhile.
    os.nice(1)
    print(asyncio.run(flood(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))))
