"""Guesses of the secret, as many as the server hears, and who else gets in meanwhile.

The bars are those of SECURITY.md: of one address 20 guesses at once and 2 a second are looked at; while it guesses, the right
secret has no verdict at once there; other addresses, and clients that the server knows, do not wait for it.
"""

import asyncio
import collections
import contextlib
import os
import subprocess
import sys
import time

import strangers
from result import Attack

BURST = 20
RATE = 2.0
# What the machine may make of the times: a turn that began before the count did, and the last ones behind its end.
SLACK = 10
GUESSER = "127.2.0.1"
HANDS = 32


async def verdict_on(port, source, guess, context, patience=6):
    """`refused`, `accepted` or `unheard`, and after how many seconds."""
    reader, writer = await asyncio.wait_for(
        asyncio.open_connection("127.0.0.1", port, ssl=context, local_addr=(source, 0), ssl_handshake_timeout=5), 6)
    begin = time.monotonic()
    try:
        writer.write(guess.encode() + b"\n")
        answer = await asyncio.wait_for(reader.readline(), patience)
    except (OSError, asyncio.TimeoutError):
        answer = b""
    finally:
        writer.transport.abort()
    kind = "accepted" if answer == b"OK\n" else "refused" if answer.startswith(b"ERROR") else "unheard"
    return kind, time.monotonic() - begin


async def guess_on(port, end, context, counts):
    while time.monotonic() < end:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            kind, _ = await verdict_on(port, GUESSER, "not-the-secret", context)
            counts[kind] += 1


async def guess(port, seconds):
    counts = collections.Counter()
    end = time.monotonic() + seconds
    context = strangers.trusting_context()
    await asyncio.gather(*(guess_on(port, end, context, counts) for _ in range(HANDS)))
    return counts["refused"], counts["unheard"]


def try_right_secret(arena, source, attempts=1):
    """The first verdict, and how long it took; `unheard` when none came."""
    secret = arena.secret.read_text().strip()
    context = strangers.trusting_context()
    for _ in range(attempts):
        kind, took = asyncio.run(verdict_on(arena.port, source, secret, context))
        if kind != "unheard":
            break
    return kind, took


def guessing(arena):
    arena.open()
    seconds = arena.seconds(30, 8)
    begin = time.monotonic()
    attacker = subprocess.Popen([sys.executable, __file__, str(arena.port), str(seconds)], stdout=subprocess.PIPE, text=True)
    wrong = []
    arena.processes.await_that(lambda: arena.counters()["proofs_failed"] >= BURST, "the end of the burst", seconds)
    kind, took = try_right_secret(arena, GUESSER, attempts=10)
    if kind != "unheard" and took < 0.2:
        wrong.append(f"the right secret among the guesses had its verdict ({kind}) after {took:.3f} s")
    among = f"{kind} after {took:.1f} s"
    kind, took = try_right_secret(arena, "127.2.0.2")
    if kind != "accepted" or took > 1:
        wrong.append(f"another address's right secret was {kind} after {took:.1f} s")
    started = time.monotonic()
    arena.start_client("again", arena.service, state="client")
    known = time.monotonic() - started
    if known > 5:
        wrong.append(f"a client that the server knows was not ready for {known:.1f} s")
    refused, unheard = map(int, attacker.communicate()[0].split())
    lasted = time.monotonic() - begin
    if refused > BURST + RATE * lasted + SLACK:
        wrong.append(f"{refused} guesses were looked at in {lasted:.1f} s")
    return (f"wrong secrets from one address, {HANDS} at once, for {seconds} s",
            f"{refused} looked at, {unheard} not; the right one among them {among}; another address {took * 1000:.0f} ms, "
            f"a known client ready in {known:.1f} s", wrong)


ATTACKS = [Attack("guessing", guessing)]


if __name__ == "__main__":
    os.nice(1)
    print(*asyncio.run(guess(int(sys.argv[1]), float(sys.argv[2]))))
