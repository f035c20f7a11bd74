"""The server ends and another takes its place: killed, which ends connections, or upgraded, which ends none."""

import os
import signal
import subprocess
import threading
import time

import source
from result import Result, skipped
from tunnel import PATIENCE, await_that

MEGABYTE = 1024 * 1024


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
    fault = (f"the server killed, and started {started - killed_at:.1f} s later; 10 visitors ended with it; a new one is "
             f"served {away:.2f} s after the start")
    return Result("killed", fault, "10 visitors; afterwards a download", size - lost, lost, None, wrong=wrong)


def upgraded(room):
    """In the middle of downloads, with visitors who ask beside them."""
    upgrade = [room.tunnel.gotunnel, "server", "upgrade"]
    if subprocess.run([*upgrade, "-help"], capture_output=True, timeout=PATIENCE).returncode != 0:
        return skipped("upgraded", "this gotunnel has no `server upgrade`")
    room.open()
    size, seeds = 16 * MEGABYTE, range(1, 5)
    room.line.tell("rate", "100mbit")
    downloads = [room.visit(size, seed) for seed in seeds]
    visitors = [room.visit() for _ in range(10)]
    came = []
    reader = threading.Thread(target=lambda: came.append(source.drain(downloads, size, seeds)))
    reader.start()
    worst = max(source.ask(each, b"before") for each in visitors)
    old = room.tunnel.status()["pid"]
    said = subprocess.run([*upgrade, "-certs", room.tunnel.certs], capture_output=True, text=True, timeout=PATIENCE)
    wrong = [] if said.returncode == 0 else [f"upgrade: {said.stderr.strip()}"]
    for _ in range(20):
        worst = max([worst, *(source.ask(each, b"still here?") for each in visitors)])
        time.sleep(0.05)
    new = await_that(room.tunnel.status, "the new server")["pid"]
    wrong += [] if new != old else ["the server is the same process"]
    reader.join()
    lost, right = came[0]
    wrong += [] if right else ["what was fetched meanwhile is wrong"]
    wrong += [] if room.served() else ["a new visitor is not served"]
    room.line.tell("rate", "unlimited")
    room.processes.running.pop("server").wait(PATIENCE)
    for each in (*downloads, *visitors):
        each.close()
    os.kill(new, signal.SIGTERM)
    await_that(lambda: not os.path.exists(f"/proc/{new}"), "the end of the new server")
    return Result("upgraded", "the server upgraded in mid-transfer", f"{len(seeds)} downloads and 10 visitors who ask",
                  len(seeds) * size - lost, lost, 1000 * worst, wrong=wrong)
