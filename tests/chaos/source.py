#!/usr/bin/env python3
"""A local service for many visitors at once, and what they know of it.

  source.py PORT [HOST]        prints `serving`

A visitor says how many bytes it wants, and by which seed; these come, and then the end. Who wants none gets back whatever it
says from then on.
"""

import hashlib
import selectors
import socket
import struct
import sys
import time

REQUEST = struct.Struct(">QQ")  # bytes, seed
PIECE = 65536


def piece(seed, at):
    """64 KiB that no other seed or place has."""
    return hashlib.sha256(b"%d %d" % (seed, at)).digest() * (PIECE // 32)


class Guest:
    def __init__(self, sock):
        self.socket = sock
        self.request = b""
        self.seed = 0
        self.left = 0
        self.at = 0
        self.waiting = b""
        self.echo = False

    def wants(self):
        return selectors.EVENT_WRITE if self.waiting or self.left else selectors.EVENT_READ

    def read(self):
        """False when it is over."""
        got = self.socket.recv(PIECE)
        if not got:
            return False
        if not self.echo:
            self.request += got
            if len(self.request) < REQUEST.size:
                return True
            self.left, self.seed = REQUEST.unpack(self.request[:REQUEST.size])
            got = self.request[REQUEST.size:]
            self.echo = self.left == 0
        if self.echo:
            self.waiting += got
        return True

    def write(self):
        if not self.waiting and self.left:
            self.waiting = piece(self.seed, self.at)[:self.left]
            self.at += 1
            self.left -= len(self.waiting)
        self.waiting = self.waiting[self.socket.send(self.waiting):]
        return bool(self.waiting or self.left or self.echo)


def serve(port, host="127.0.0.1"):
    listener = socket.create_server((host, port), backlog=4096)
    waiter = selectors.DefaultSelector()
    waiter.register(listener, selectors.EVENT_READ)
    print("serving", flush=True)
    while True:
        for key, _ in waiter.select():
            if key.fileobj is listener:
                sock = listener.accept()[0]
                sock.setblocking(False)
                waiter.register(sock, selectors.EVENT_READ, Guest(sock))
                continue
            guest = key.data
            try:
                goes_on = guest.write() if key.events & selectors.EVENT_WRITE else guest.read()
            except BlockingIOError:
                continue
            except OSError:
                goes_on = False
            if goes_on:
                waiter.modify(guest.socket, guest.wants(), guest)
            else:
                waiter.unregister(guest.socket)
                guest.socket.close()


def visit(port, count, seed, patience=30, host="127.0.0.1"):
    """A visitor that has said what it wants."""
    sock = socket.create_connection((host, port), timeout=patience)
    sock.sendall(REQUEST.pack(count, seed))
    return sock


def ask(sock, text):
    """Seconds until the same came back; ConnectionError when something else did."""
    begin = time.monotonic()
    sock.sendall(text)
    got = b""
    while len(got) < len(text):
        some = sock.recv(len(text) - len(got))
        if not some:
            raise ConnectionError("the connection ended")
        got += some
    if got != text:
        raise ConnectionError("something else came back")
    return time.monotonic() - begin


def drain(socks, count, seeds, patience=60):
    """Reads all of them to their ends at once. How many bytes did not come, and whether those that came were right."""
    waiter = selectors.DefaultSelector()
    sums = {}
    for sock, seed in zip(socks, seeds):
        sock.setblocking(False)
        waiter.register(sock, selectors.EVENT_READ, seed)
        sums[seed] = [hashlib.sha256(), 0]
    end = time.monotonic() + patience
    while waiter.get_map() and time.monotonic() < end:
        for key, _ in waiter.select(1):
            try:
                got = key.fileobj.recv(4 * PIECE)
            except OSError:
                got = b""
            if got:
                sums[key.data][0].update(got)
                sums[key.data][1] += len(got)
            else:
                waiter.unregister(key.fileobj)
    return (sum(count - received for _, received in sums.values()),
            all(digest.digest() == digest_of(seed, count) for seed, (digest, _) in sums.items()))


def digest_of(seed, count):
    whole = hashlib.sha256()
    for at in range(-(-count // PIECE)):
        whole.update(piece(seed, at)[:count - at * PIECE])
    return whole.digest()


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:])
