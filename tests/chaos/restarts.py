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


def crowd_back(room):
    """All clients of a killed server come back at once, from one address, when it is started again."""
    count, limit = (30, 60) if room.options.sanitized else (300, 15)
    room.open()
    names = [f"client-{i}" for i in range(1, count)]
    for i, name in enumerate(names, 1):
        room.tunnel.begin_client(name, room.public + i, room.service)

    def all_there():
        said = room.tunnel.status()
        return said and len(said["ports"]) == count

    await_that(all_there, f"{count} clients", 2 * limit)
    room.tunnel.kill("server")
    room.tunnel.start_server(name="server")
    started = time.monotonic()
    await_that(all_there, f"{count} clients to come back", 2 * limit)
    away = time.monotonic() - started
    wrong = [] if away <= limit else [f"that is more than {limit} s"]
    wrong += [] if room.served() else ["a new visitor is not served"]
    for name in names:
        room.tunnel.leave(name)
    fault = f"the server killed and started again; its {count} clients are back {away:.1f} s later"
    return Result("crowd-back", fault, f"{count} clients, of one address", 0, 0, None, wrong=wrong)


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
