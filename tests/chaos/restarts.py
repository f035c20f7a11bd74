"""The server ends and another takes its place: killed, which ends connections, or upgraded, which ends none."""

import threading
import time

import source
from result import Result
from tunnel import await_that

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
    room.open()
    size, seeds = 16 * MEGABYTE, range(1, 5)
    room.line.tell("rate", "100mbit")
    downloads = [room.visit(size, seed) for seed in seeds]
    visitors = [room.visit() for _ in range(10)]
    came = []
    reader = threading.Thread(target=lambda: came.append(source.drain(downloads, size, seeds)))
    reader.start()
    worst = max(source.ask(each, b"before") for each in visitors)
    said = room.tunnel.upgrade()
    for _ in range(20):
        worst = max([worst, *(source.ask(each, b"still here?") for each in visitors)])
        time.sleep(0.05)
    wrong = [] if said["pid"] == room.tunnel.status()["pid"] else ["another process answers"]
    reader.join()
    lost, right = came[0]
    wrong += [] if right else ["what was fetched meanwhile is wrong"]
    wrong += [] if room.served() else ["a new visitor is not served"]
    room.line.tell("rate", "unlimited")
    for each in (*downloads, *visitors):
        each.close()
    return Result("upgraded", "the server upgraded in mid-transfer", f"{len(seeds)} downloads and 10 visitors who ask",
                  len(seeds) * size - lost, lost, 1000 * worst, resumed=1, wrong=wrong)
