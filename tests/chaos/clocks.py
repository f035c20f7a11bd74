"""Clocks that jump: the calendar by a year and back, time that passes by an hour at once as after a suspend."""

import struct
import time

import source
from result import Result, skipped
from tunnel import await_that

MEGABYTE = 1024 * 1024
HOUR = 3600
QUIET = 1         # seconds; else an answer that is still to come shows at once that the peer lives
LOOKS_WITHIN = 2  # seconds, for the timers of a program were set before the jump
YEAR = 365 * 24 * HOUR
OFFSETS = struct.Struct("=qq")  # see clock_shim.cpp


class Clock:
    """Of one program."""

    def __init__(self, library, file):
        self.library = library
        self.file = file
        file.write_bytes(OFFSETS.pack(0, 0))

    def words(self):
        """What the program is to be started behind."""
        return ["env", f"LD_PRELOAD={self.library}", f"CLOCK_SHIM={self.file}"]

    def set(self, wall=0, monotonic=0):
        """Seconds ahead. In place, because the program has it mapped."""
        with self.file.open("r+b") as file:
            file.write(OFFSETS.pack(wall, monotonic))


def jumping(room):
    if not room.options.clock:
        return skipped("clock", "there is no clock to move: it takes a preloaded library, and no sanitizer")
    clocks = {name: Clock(room.options.clock, room.processes.place / f"clock-{name}") for name in ("server", "client")}
    room.open(of_server={"before": clocks["server"].words()}, of_client={"before": clocks["client"].words()})
    size = 32 * MEGABYTE
    visitor, download = room.visit(), room.visit(size, 1)
    worst, wrong = source.ask(visitor, b"before"), []

    def after(what):
        nonlocal worst
        try:
            worst = max(worst, source.ask(visitor, what.encode()))
            await_that(room.served, "a new visitor to be served")
        except (OSError, TimeoutError) as e:
            wrong.append(f"{what}: {e}")

    for name, clock in clocks.items():
        for years in (1, -1):
            clock.set(wall=years * YEAR)
            after(f"the calendar of the {name} {years:+d} year")
        clock.set()
    # Each believes that the other has been silent for an hour, as soon as it looks; what was to happen meanwhile happens now.
    for count in (1, 2):
        for name, clock in clocks.items():
            time.sleep(QUIET)
            clock.set(monotonic=count * HOUR)
            time.sleep(LOOKS_WITHIN)
            after(f"an hour at once for the {name}")
    if room.tunnel.status()["uptime_seconds"] < 2 * HOUR:
        wrong.append("the clock of the server did not move, so nothing was tried")
    missing, right = source.drain([download], size, [1])
    wrong += [] if right else ["what was fetched meanwhile is wrong"]
    resumed = room.processes.log("client").count("goes on after")
    wrong += [] if resumed else ["no jump broke a carrier, so nothing was tried"]
    visitor.close()
    download.close()
    return Result("clock", "the calendars a year ahead, a year behind and back; an hour at once, twice, at each end",
                  "a visitor who asks, and a download", size - missing, missing, 1000 * worst, resumed, wrong=wrong)
