#!/usr/bin/env python3
"""Small questions, each with its own right answer: what takes the place of a database where there is none.

  exchange.py serve PORT                            prints `serving`
  exchange.py ask HOST:PORT CONNECTIONS SECONDS     prints `N exchanges, longest X ms`; exit code 1 after a wrong answer
"""

import hashlib
import os
import socket
import sys
import threading
import time

QUESTION = 64
ANSWER = 32


def read_exactly(sock, size):
    got = b""
    while len(got) < size:
        some = sock.recv(size - len(got))
        if not some:
            raise ConnectionError("the connection ended")
        got += some
    return got


def serve(port):
    listener = socket.create_server(("127.0.0.1", int(port)))
    print("serving", flush=True)

    def one(sock):
        try:
            while True:
                sock.sendall(hashlib.sha256(read_exactly(sock, QUESTION)).digest())
        except OSError:
            sock.close()

    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def ask(address, connections, seconds):
    host, port = address.rsplit(":", 1)
    end = time.monotonic() + float(seconds)
    took = []
    trouble = []

    def one():
        try:
            with socket.create_connection((host, int(port)), timeout=60) as sock:
                while (begin := time.monotonic()) < end:
                    question = os.urandom(QUESTION)
                    sock.sendall(question)
                    if read_exactly(sock, ANSWER) != hashlib.sha256(question).digest():
                        raise ConnectionError("a wrong answer")
                    took.append(time.monotonic() - begin)
        except OSError as e:
            trouble.append(str(e))

    threads = [threading.Thread(target=one) for _ in range(int(connections))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if trouble:
        sys.exit(f"{len(trouble)} of {connections} connections failed: {trouble[0]}")
    print(f"{len(took)} exchanges, longest {max(took) * 1000:.0f} ms")


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
