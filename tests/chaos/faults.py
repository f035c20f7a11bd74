"""Faults that a session outlives, of the line and of the server: they are made while one long transfer and a database are at
work.

Each takes the Stage (see shared.py), makes its fault, and says what it did. How long each takes is known beforehand.
"""

import time

from tunnel import TUNNEL_PORT

RTT = "0.5ms"  # one way, when nothing is wrong
RATE = "400mbit"


class Fault:
    def __init__(self, name, seconds, make, takeovers):
        self.name = name
        self.seconds = seconds      # of make(), about
        self.takeovers = takeovers  # of the two clients together; fewer, and the fault was not made, or not noticed
        self.make = make


def reset(stage):
    count = 4
    for _ in range(count):
        stage.line.reset_carriers(TUNNEL_PORT)
        time.sleep(stage.chance.uniform(1.5, 2.5))
    return f"every carrier reset, {count} times, about 2 s apart"


def silence(stage):
    lasted = stage.chance.uniform(3, 5)
    stage.line.tell("cut")
    time.sleep(lasted)
    stage.line.tell("pass")
    time.sleep(2)
    return f"every packet lost for {lasted:.1f} s, then the path is back"


def forgotten(stage):
    ports = stage.line.forget_carriers(TUNNEL_PORT)
    time.sleep(5)
    stage.line.remember_carriers(ports)
    return "the packets of the carriers lost from then on, those of new connections not"


def delayed(stage):
    stage.line.tell("delay", "100ms")
    time.sleep(5)
    stage.line.tell("delay", RTT)
    time.sleep(1)
    return "round trip from 1 to 200 ms and, 5 s later, back"


def reordered(stage):
    stage.line.tell("reorder", "5%")
    stage.line.tell("reorder-by", "3ms")
    time.sleep(5)
    stage.line.tell("reorder", "0%")
    return "5 % of the packets 3 ms late for 5 s"


def slow(stage):
    stage.line.tell("rate", "20mbit")
    time.sleep(5)
    stage.line.tell("rate", RATE)
    return "20 Mbit/s for 5 s"


def moved(stage):
    places = []
    for _ in range(2):
        places.append(stage.line.move_client())
        time.sleep(3)
    return "the client's address changed, " + " and ".join(f"to {place}" for place in places)


def down(stage):
    stage.line.interface("right", "down")
    time.sleep(2)
    stage.line.interface("right", "up")
    time.sleep(3)
    return "the client's interface down for 2 s"


def replaced(stage):
    count = 3
    for _ in range(count):
        stage.tunnel.upgrade()
        time.sleep(stage.chance.uniform(1, 2))
    return f"the server upgraded, {count} times in a row"


FAULTS = [Fault("reset", 8, reset, 6), Fault("silence", 6, silence, 2), Fault("forgotten", 5, forgotten, 2),
          Fault("delayed", 6, delayed, 0), Fault("reordered", 5, reordered, 0), Fault("slow", 5, slow, 0),
          Fault("moved", 6, moved, 4), Fault("down", 5, down, 2),
          Fault("replaced", 8, replaced, 6)]
