"""Many visitors at once: one who does not read, and more than there are descriptors for."""

import socket
import time

import source
from result import Result
from tunnel import await_that, descriptors

MEGABYTE = 1024 * 1024
# What the log says of visitors for whom there is no descriptor.
REFUSALS = {"server": "is refused", "client": "visitors are there"}


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
        if most > 84:
            wrong.append(f"{most} of 96 descriptors were used: too few are left for anything but visitors")
        if REFUSALS[who] not in room.processes.log(who):
            wrong.append("nobody was refused, so nothing was tried")
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
