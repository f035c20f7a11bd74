"""What comes to the tunnel port without the secret."""

import asyncio
import contextlib
import itertools
import os
import socket
import ssl
import subprocess
import sys
import time

from result import Attack

# The original's protocol takes the secret as a line: the cheapest guess there is.
BEHIND_IT = b"x" * 55_000
MEMORY_BAR_KIB = 64 * 1024
# At once, each with an attempt under way: enough to keep a server of two cores busy.
HANDS = 96
# More than two workers have.
PLACES = 1100


def trusting_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def guess_for_ever(port, sources, end, context, made):
    for source in sources:
        if time.monotonic() > end:
            return
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            _, writer = await asyncio.wait_for(
                asyncio.open_connection("127.0.0.1", port, ssl=context, local_addr=(source, 0), ssl_handshake_timeout=5), 6)
            writer.write(b"not-the-secret\n" + BEHIND_IT)
            made[0] += 1
            writer.transport.abort() if made[0] % 2 else writer.close()


async def guess(port, addresses, seconds):
    """How many connections were made."""
    sources = itertools.cycle(f"127.1.{each // 250}.{each % 250 + 1}" for each in range(addresses))
    context = trusting_context()
    end = time.monotonic() + seconds
    made = [0]
    await asyncio.gather(*(guess_for_ever(port, sources, end, context, made) for _ in range(HANDS)))
    return made[0]


def wrong_secrets(addresses):
    def act(arena):
        arena.open("-memory-limit", "64M")
        before = highest = arena.memory_kib()
        seconds = arena.seconds(30, 6)
        with arena.neighbour() as neighbour:
            attacker = subprocess.Popen([sys.executable, __file__, str(arena.port), str(addresses), str(seconds)],
                                        stdout=subprocess.PIPE, text=True)
            while attacker.poll() is None:
                highest = max(highest, arena.memory_kib())
                with contextlib.suppress(subprocess.TimeoutExpired):
                    attacker.wait(0.1)
            made = int(attacker.stdout.read())
        counters = arena.counters()
        grown = highest - before
        wrong = []
        if grown > MEMORY_BAR_KIB and not arena.sanitized:
            wrong.append(f"the server grew by {grown // 1024} MiB, and may by {MEMORY_BAR_KIB // 1024}")
        if neighbour.failures:
            wrong.append(f"{len(neighbour.failures)} visitors of the tunnel beside it failed: {neighbour.failures[0]}")
        if counters["proofs_failed"] == 0:
            wrong.append("no counter tells of it")
        return (f"wrong secrets with 55 KB behind each, from {addresses} addresses, {made / seconds:.0f} a second for {seconds} s",
                f"{grown / 1024:.1f} MiB more, visitors' worst answer {neighbour.worst * 1000:.0f} ms; {counters['proofs_failed']} "
                f"guesses looked at, {counters.get('proofs_not_heard')} not, {counters['strangers_crowded']} dropped", wrong)
    return act


def hold_a_place(port, source, context):
    """A stranger that has shaken hands and sent all of a long record but its last byte."""
    sock = socket.create_connection(("127.0.0.1", port), 5, (source, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(coming, going)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(going.read())
            coming.write(sock.recv(65536))
    tls.write(b"x" * 16_000)
    sock.sendall(going.read()[:-1])
    return sock


def held_places(arena):
    arena.open("-memory-limit", "64M")
    before = highest = arena.memory_kib()
    context = trusting_context()
    held = []
    with arena.neighbour() as neighbour:
        for each in range(PLACES):
            with contextlib.suppress(OSError):
                held.append(hold_a_place(arena.port, f"127.1.{each // 250}.{each % 250 + 1}", context))
            if each % 50 == 0:
                highest = max(highest, arena.memory_kib())
        highest = max(highest, arena.memory_kib())
        waiting = arena.counters()["strangers"]
    for sock in held:
        sock.close()
    wrong = []
    if highest - before > MEMORY_BAR_KIB and not arena.sanitized:
        wrong.append(f"the server grew by {(highest - before) // 1024} MiB, and may by {MEMORY_BAR_KIB // 1024}")
    if neighbour.failures:
        wrong.append(f"{len(neighbour.failures)} visitors of the tunnel beside it failed: {neighbour.failures[0]}")
    return (f"{PLACES} strangers from as many addresses, who stop one byte before the end of a record",
            f"{(highest - before) / 1024:.1f} MiB more for {waiting} of them, visitors' worst answer "
            f"{neighbour.worst * 1000:.0f} ms", wrong)


ATTACKS = [Attack("wrong-secrets", wrong_secrets(1)), Attack("wrong-secrets-many", wrong_secrets(1000)),
           Attack("held-places", held_places)]


if __name__ == "__main__":
    # A process of its own: its work must not hold up the neighbour's questions.
    os.nice(1)
    print(asyncio.run(guess(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
