"""Ways between the two ends that change, or that do not carry everything."""

import contextlib
import shutil
import threading
import time

import source
from result import Result, skipped
from tunnel import TUNNEL_PORT

LARGEST = 1400  # bytes of a packet that still passes
SOMEBODY = "10.88.0.1/32"  # an address that has nothing to do with the tunnel
BACK_WITHIN = 15  # seconds


@contextlib.contextmanager
def hole(line):
    """Larger packets vanish without a word, on their way in at either end: a sender's kernel cuts on the way out."""
    for side in ("left", "right"):
        line.do(side, "nft", "add table inet hole")
        line.do(side, "nft", "add chain inet hole in { type filter hook input priority 0; }")
        line.do(side, "nft", f"add rule inet hole in iifname wan0 meta length > {LARGEST} counter drop")
    try:
        yield
    finally:
        for side in ("left", "right"):
            line.do(side, "nft", "delete table inet hole")


def lost_packets(line):
    listings = [line.do(side, "nft", "list table inet hole") for side in ("left", "right")]
    return sum(int(each.split("counter packets ")[1].split()[0]) for each in listings)


def black_hole(room):
    """A session is there, and then the path loses large packets: what waits has to come in smaller ones."""
    if not shutil.which("nft"):
        return skipped("black-hole", "nft is not installed")
    room.open()
    size = 200_000
    with room.visit() as beside, hole(room.line):
        source.ask(beside, b"before")
        begin = time.monotonic()
        with room.visit(size, 3) as visitor:
            lost, right = source.drain([visitor], size, [3])
        took = time.monotonic() - begin
        other_way = b"x" * size  # from the server to the client, and back
        threading.Thread(target=lambda: beside.sendall(other_way[:-1]), daemon=True).start()
        got = 0
        beside.settimeout(BACK_WITHIN)
        try:
            while got < size - 1 and (some := beside.recv(1 << 16)):
                got += len(some)
        except OSError:
            pass
        vanished = lost_packets(room.line)
    carriers = room.processes.log("client").count("the connection with")
    wrong = [] if right and not lost and got == size - 1 else ["the bytes did not come"]
    wrong += [] if vanished else ["no packet was lost, so nothing was tried"]
    wrong += [] if took < BACK_WITHIN else [f"it took {took:.1f} s"]
    return Result("black-hole", f"packets of more than {LARGEST} bytes lost ({vanished} of them), {carriers} carriers given up",
                  "a download, then as much both ways", size - lost + 2 * got, lost, 1000 * took, carriers, wrong=wrong)


def churn(room):
    """An address that comes and goes all the time, on a long line: dialling has to get through all the same."""
    room.open()
    room.line.tell("delay", "250ms")
    over = threading.Event()

    def come_and_go():
        while not over.is_set():
            room.line.do("right", "ip", "addr", "add", SOMEBODY, "dev", "wan0")
            time.sleep(0.4)
            room.line.do("right", "ip", "addr", "del", SOMEBODY, "dev", "wan0")
            time.sleep(0.4)

    churner = threading.Thread(target=come_and_go)
    worst, wrong = 0, []
    with room.visit() as visitor:
        source.ask(visitor, b"before")
        churner.start()
        try:
            for _ in range(2):
                room.line.reset_carriers(TUNNEL_PORT)
                worst = max(worst, source.ask(visitor, b"still here?"))
        except OSError as e:
            wrong.append(f"the visitor: {e}")
        finally:
            over.set()
            churner.join()
            room.line.tell("delay", "0.5ms")
    wrong += [] if worst < BACK_WITHIN else [f"it took {worst:.1f} s"]
    resumed = room.processes.log("client").count("goes on after")
    return Result("churn", "every carrier reset, twice, on a line of 500 ms while an address comes and goes every 0.4 s",
                  "a visitor who asks", 2, 0, 1000 * worst, resumed, wrong=wrong)
