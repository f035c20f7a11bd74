#!/usr/bin/env python3
"""A local service that gives large files to many at once, and is quick beside that.

  large_files.py PORT        prints `serving`

It speaks the protocol of chaos/source.py. What it gives of a file is nothing but zeros: nobody here reads it.
"""

import os
import select
import socket
import sys
import tempfile

import source

FILE = 16 << 20
PIECE = 256 << 10
# The next question is looked at after that many visitors have got a piece.
BATCH = 8


class Guest:
    def __init__(self, sock):
        self.socket = sock
        self.request = b""
        self.left = 0
        self.waiting = b""

    def on_input(self):
        """False when it is over."""
        got = self.socket.recv(65536)
        if not got:
            return False
        missing = max(source.REQUEST.size - len(self.request), 0)
        self.request += got[:missing]
        if missing and len(self.request) == source.REQUEST.size:
            self.left = source.REQUEST.unpack(self.request)[0]
        self.waiting += got[missing:]
        return True

    def on_room(self, file):
        if self.left:
            sent = os.sendfile(self.socket.fileno(), file, self.left % FILE, min(self.left, PIECE))
            self.left -= sent
        elif self.waiting:
            self.waiting = self.waiting[self.socket.send(self.waiting):]

    def events(self):
        return select.EPOLLIN | (select.EPOLLOUT if self.left or self.waiting else 0)


def serve(port):
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    guests = {}
    waiter = select.epoll()
    waiter.register(listener, select.EPOLLIN)
    with tempfile.TemporaryFile() as file:
        file.truncate(2 * FILE)
        print("serving", flush=True)
        while True:
            for number, events in waiter.poll(maxevents=BATCH):
                if number == listener.fileno():
                    sock = listener.accept()[0]
                    sock.setblocking(False)
                    # The kernel's memory is not what is attacked.
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
                    guests[sock.fileno()] = Guest(sock)
                    waiter.register(sock, select.EPOLLIN)
                    continue
                guest = guests[number]
                try:
                    goes_on = guest.on_input() if events & ~select.EPOLLOUT else True
                    if goes_on:
                        guest.on_room(file.fileno())
                        waiter.modify(number, guest.events())
                except BlockingIOError:
                    waiter.modify(number, guest.events())
                except OSError:
                    goes_on = False
                if not goes_on:
                    waiter.unregister(number)
                    guests.pop(number).socket.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
