#!/usr/bin/env python3
"""Connections that carry bytes both ways at once, and know at both ends what they sent and what came.

  transfer.py serve PORT                              prints `serving`, serves until SIGTERM, then reports
  transfer.py visit HOST:PORT CONNECTIONS LEAST SEED  prints `flowing`, goes on until its input ends, then reports

Each direction of a connection carries LEAST bytes or more: the visitor sends until its input ends, says so by its FIN, and
the service goes on until it has heard that. No two blocks are alike, so bytes that are lost, repeated or out of place change
the checksum. A report is one JSON object: `connections` by number with bytes and SHA-256 of both directions, `pauses` as
[connection, from, to] when a reader waited for longer than 20 ms, and `received` as [time, bytes so far] ten times a second.
Times are of CLOCK_MONOTONIC, which both ends share.
"""

import hashlib
import json
import random
import signal
import socket
import struct
import sys
import threading
import time

BLOCK = 65536
HEAD = struct.Struct(">QQQ")  # number of the connection, least bytes, seed
SHORTEST_PAUSE = 0.02
RELUCTANCE = 120  # seconds without a byte that end a connection with an error


class Blocks:
    """The bytes of one direction of one connection: a stamp and noise, at another offset in each block."""

    def __init__(self, number, direction, seed):
        self.stamp = struct.Struct(">QQ")
        self.id = number * 2 + direction
        self.noise = memoryview(random.Random(seed * 1000003 + self.id).randbytes(4 * BLOCK))
        self.count = 0

    def next(self, size=BLOCK):
        at = self.count * 7919 % (3 * BLOCK)
        block = self.stamp.pack(self.id, self.count) + self.noise[at:at + BLOCK - self.stamp.size]
        self.count += 1
        return memoryview(block)[:size]


class Connection:
    def __init__(self, log, sock, number, least, seed, visitor):
        self.log = log
        self.socket = sock
        self.number = number
        self.least = least
        self.outward = Blocks(number, 0 if visitor else 1, seed)
        self.heard_all = threading.Event()
        self.sum_out = hashlib.sha256()
        self.sum_in = hashlib.sha256()
        self.sent = 0
        self.received = 0
        self.error = None
        sock.settimeout(RELUCTANCE)

    def run(self, over):
        """Sends until there is enough of it and it is over, and reads to the end beside it."""
        writer = threading.Thread(target=self._guarded, args=(self._send, over))
        writer.start()
        self._guarded(self._receive)
        self.heard_all.set()
        writer.join()
        self.socket.close()

    def _guarded(self, work, *arguments):
        try:
            work(*arguments)
        except OSError as e:
            self.error = self.error or str(e)

    def _send(self, over):
        while self.error is None and (self.sent < self.least or not over.is_set()):
            block = self.outward.next(min(BLOCK, self.least - self.sent) if self.sent < self.least else BLOCK)
            self.socket.sendall(block)
            self.sum_out.update(block)
            self.sent += len(block)
        self.socket.shutdown(socket.SHUT_WR)

    def _receive(self):
        room = bytearray(4 * BLOCK)
        before = time.monotonic()
        while count := self.socket.recv_into(room):
            now = time.monotonic()
            if now - before > SHORTEST_PAUSE and self.received > 0:
                self.log.pause(self.number, before, now)
            before = now
            self.sum_in.update(memoryview(room)[:count])
            self.received += count

    def report(self):
        return {"sent": self.sent, "sent_sha256": self.sum_out.hexdigest(), "received": self.received,
                "received_sha256": self.sum_in.hexdigest(), "error": self.error}


class Log:
    def __init__(self):
        self.connections = {}
        self.pauses = []
        self.samples = []
        threading.Thread(target=self._sample, daemon=True).start()

    def pause(self, number, start, end):
        self.pauses.append((number, round(start, 4), round(end, 4)))

    def add(self, connection):
        self.connections[connection.number] = connection
        return connection

    def _sample(self):
        while True:
            total = sum(each.received for each in list(self.connections.values()))
            self.samples.append((round(time.monotonic(), 3), total))
            time.sleep(0.1)

    def print(self):
        json.dump({"connections": {number: each.report() for number, each in self.connections.items()},
                   "pauses": self.pauses, "received": self.samples}, sys.stdout)


def serve(port):
    log = Log()
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=512)
    threads = []

    def one(sock):
        head = b""
        while len(head) < HEAD.size:
            if not (some := sock.recv(HEAD.size - len(head))):
                return
            head += some
        connection = log.add(Connection(log, sock, *HEAD.unpack(head), visitor=False))
        connection.run(connection.heard_all)

    def leave(*_):
        raise SystemExit

    signal.signal(signal.SIGTERM, leave)
    print("serving", flush=True)
    try:
        while True:
            threads.append(threading.Thread(target=one, args=(listener.accept()[0],), daemon=True))
            threads[-1].start()
    except SystemExit:
        for each in threads:
            each.join(10)
        log.print()


def visit(address, connections, least, seed):
    log = Log()
    over = threading.Event()
    host, port = address.rsplit(":", 1)
    threads = []
    for number in range(int(connections)):
        sock = socket.create_connection((host, int(port)), timeout=20)
        sock.sendall(HEAD.pack(number, int(least), int(seed)))
        connection = log.add(Connection(log, sock, number, int(least), int(seed), visitor=True))
        threads.append(threading.Thread(target=connection.run, args=(over,)))
        threads[-1].start()
    while any(each.received == 0 and each.error is None for each in log.connections.values()):
        time.sleep(0.01)
    print("flowing", flush=True)
    sys.stdin.read()
    over.set()
    for each in threads:
        each.join()
    log.print()


if __name__ == "__main__":
    {"serve": serve, "visit": visit}[sys.argv[1]](*sys.argv[2:])
    sys.stdout.flush()
