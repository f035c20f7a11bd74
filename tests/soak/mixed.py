#!/usr/bin/env python3
"""Visitors of every kind at once, until its input ends; then one JSON object says what became of them.

  mixed.py PORT CHURNING_PORT SEED      prints `flowing`

`PORT` must hold through everything: any error there is one too many. What is at `CHURNING_PORT` comes and goes, and its
errors are only counted. Each kind is a thread or some, with `done`, `errors` and the `longest_ms` that one thing it did took.
"""

import hashlib
import json
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))
import source

PATIENCE = 60
IDLE = 40
MEGABYTE = 1024 * 1024


class Kind:
    def __init__(self, name):
        self.name = name
        self.done = 0
        self.errors = []
        self.longest = 0.0

    def report(self):
        return {"done": self.done, "errors": len(self.errors), "first_errors": self.errors[:5],
                "longest_ms": round(1000 * self.longest)}


class Mixed:
    def __init__(self, port, churning, seed):
        self.port = port
        self.churning = churning
        self.over = threading.Event()
        self.kinds = {}
        self.threads = []
        self.seed = seed

    def start(self, name, count, work, pause):
        """So many threads that do `work(random)` again and again, with a pause between."""
        kind = self.kinds[name] = Kind(name)
        for number in range(count):
            chance = random.Random(f"{self.seed} {name} {number}")
            self.threads.append(threading.Thread(target=self._repeat, args=(kind, work, pause, chance)))
            self.threads[-1].start()

    def _repeat(self, kind, work, pause, chance):
        state = {}
        while not self.over.wait(pause * chance.uniform(0.5, 1.5)):
            begin = time.monotonic()
            try:
                work(chance, state)
                kind.done += 1
                kind.longest = max(kind.longest, time.monotonic() - begin)
            except OSError as e:
                kind.errors.append(f"{e} after {time.monotonic() - begin:.1f} s")
                if visitor := state.pop("visitor", None):
                    visitor.close()
        if visitor := state.pop("visitor", None):
            visitor.close()

    def download(self, chance, _):
        size, seed = chance.randrange(MEGABYTE, 16 * MEGABYTE), chance.randrange(1 << 40)
        with source.visit(self.port, size, seed, PATIENCE) as visitor:
            missing, right = source.drain([visitor], size, [seed], PATIENCE)
        if missing or not right:
            raise OSError(f"{missing} of {size} bytes are missing, and what came is {'right' if right else 'wrong'}")

    def both_ways(self, chance, _):
        """What is sent comes back, while more is sent."""
        pieces, seed = chance.randrange(16, 128), chance.randrange(1 << 40)
        with source.visit(self.port, 0, 0, PATIENCE) as visitor:
            sender = threading.Thread(target=self._send_pieces, args=(visitor, pieces, seed))
            sender.start()
            sum_in, left = hashlib.sha256(), pieces * source.PIECE
            while left and (got := visitor.recv(min(left, 4 * source.PIECE))):
                sum_in.update(got)
                left -= len(got)
            sender.join()
        if left or sum_in.digest() != source.digest_of(seed, pieces * source.PIECE):
            raise OSError(f"{left} of {pieces * source.PIECE} bytes did not come back right")

    @staticmethod
    def _send_pieces(visitor, pieces, seed):
        try:
            for at in range(pieces):
                visitor.sendall(source.piece(seed, at))
        except OSError:
            pass  # the reader hears of it, too

    def short(self, chance, _, port=None):
        with source.visit(port or self.port, 0, 0, PATIENCE) as visitor:
            source.ask(visitor, chance.randbytes(chance.randrange(1, 2000)))

    def come_and_go(self, chance, state):
        self.short(chance, state, self.churning)

    def stay(self, chance, state):
        """One visitor for the whole time, who asks now and then."""
        if "visitor" not in state:
            state["visitor"] = source.visit(self.port, 0, 0, PATIENCE)
        source.ask(state["visitor"], chance.randbytes(64))

    def run(self):
        self.start("downloads", 2, self.download, 0.2)
        self.start("both ways", 2, self.both_ways, 0.2)
        self.start("short", 4, self.short, 0.1)
        self.start("ping-pong", 2, self.stay, 0.02)
        self.start("idle", IDLE, self.stay, 20)
        self.start("churn", 2, self.come_and_go, 0.2)
        print("flowing", flush=True)
        sys.stdin.read()
        self.over.set()
        for each in self.threads:
            each.join()
        print(json.dumps({name: kind.report() for name, kind in self.kinds.items()}))


if __name__ == "__main__":
    Mixed(*(int(word) for word in sys.argv[1:])).run()
