"""What visitors see of an outage: a contestant at the two ends of a line, ten visitors who ask all the time, and a fault.

The server and its visitors are at the left end, the client and the service at the right one. A client that ends is
started again a second later, as a service manager would. A visitor lives when it is answered after the fault; the others
were ended, or hang until the trial does.
"""

import os
import pathlib
import signal
import socket
import sys
import threading
import time

import machine
from processes import Processes, Failure

TESTS = pathlib.Path(__file__).resolve().parent.parent / "tests/chaos"
sys.path.append(str(TESTS))
import source

VISITORS = 10
PACE = 0.02        # seconds between a visitor's questions
WINDOW = 15        # seconds after a fault until a visitor without an answer hangs
RESTART_AFTER = 1  # seconds after which a client that has ended is started again


class Paths:
    """What a build directory has for both ends of a line."""

    def __init__(self, build):
        self.gotunnel = (build / "gotunnel").resolve()
        self.wan = (build / "bench/wan/wan").resolve()


class Apart(Processes):
    """As Processes, with the server at the left end of the line and whoever else at the right one, or all of them left."""

    def __init__(self, place, line, together):
        super().__init__(place)
        self.line = line
        self.together = together
        self.commands = {}
        self.over = threading.Event()
        self.keeper = threading.Thread(target=self._keep)

    def start(self, name, command, **options):
        self.commands[name] = command
        return super().start(name, self.line.at(self.side(name), *command), **options)

    def side(self, name):
        return "left" if self.together or name == "server" else "right"

    def await_listening(self, *ports, seconds=15):
        left = self.line.pids["left"]
        self.await_that(lambda: machine.listening_ports(left).issuperset(ports), f"port {ports[0]}", seconds)

    def kill(self, name):
        """With its children: sshd serves from them."""
        for pid in machine.tree([self.running[name].pid]):
            os.kill(pid, signal.SIGKILL)
        self.running.pop(name).wait()

    def _keep(self):
        while not self.over.wait(0.05):
            if (client := self.running.get("client")) and client.poll() is not None and not self.over.wait(RESTART_AFTER):
                self.start("client", self.commands["client"])

    def end(self):
        self.over.set()
        if self.keeper.ident:
            self.keeper.join()
        super().end()


class Visitor:
    """Asks at a steady pace until it is told to leave, or its connection ends."""

    def __init__(self, sock, number):
        self.socket = sock
        sock.settimeout(WINDOW + 10)
        self.number = number
        self.over = threading.Event()
        self.asked = None          # when the question was that waits for its answer
        self.answered = time.monotonic()
        self.longest = 0.0
        self.ended = False
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self):
        count = 0
        try:
            while not self.over.wait(PACE):
                count += 1
                self.asked = time.monotonic()
                source.ask(self.socket, b"%8d %16d" % (self.number, count))
                self.answered = time.monotonic()
                self.longest = max(self.longest, self.answered - self.asked)
        except OSError:
            self.ended = True

    def leave(self):
        self.over.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join()
        self.socket.close()


class Trial:
    def __init__(self, line, processes, contestant, target):
        self.line = line
        self.processes = processes
        self.contestant = contestant
        self.target = target

    def visit(self, timeout):
        with self.line.inside("left"):
            return source.visit(self.public, 0, 0, timeout)

    def served(self):
        try:
            with self.visit(1) as visitor:
                return source.ask(visitor, b"anybody there?") >= 0
        except OSError:
            return False

    def run(self, fault):
        """How many lived, were ended and hang; the longest wait of one who lived; when a new visitor was served."""
        self.public = self.contestant.open(self.processes, self.target)
        self.processes.keeper.start()
        end = time.monotonic() + 10
        while not self.served():
            if time.monotonic() > end:
                raise Failure("nobody was served")
            time.sleep(0.05)
        visitors = [Visitor(self.visit(5), number) for number in range(VISITORS)]
        try:
            time.sleep(1)
            if any(each.ended for each in visitors):
                raise Failure("a visitor ended before the fault")
            for each in visitors:
                each.longest = 0.0
            return self._strike(fault, visitors)
        finally:
            for each in visitors:
                each.leave()

    def _strike(self, fault, visitors):
        served = []
        fault.make(self)
        # Beside what is left of the fault.
        prober = threading.Thread(target=self._probe, args=(time.monotonic(), served))
        prober.start()
        fault.end(self)
        made_at = time.monotonic()
        while time.monotonic() < made_at + WINDOW:
            time.sleep(0.05)
            # A little later, so that an answer that was under way is not taken for life.
            known = all(each.ended or each.answered > made_at + 0.5 for each in visitors)
            if served and known and time.monotonic() > made_at + 1:
                break
        prober.join()
        lived = [each for each in visitors if not each.ended and each.answered > made_at + 0.5]
        ended = sum(each.ended for each in visitors)
        fault.tidy(self)
        return {"lived": len(lived), "ended": ended, "hang": VISITORS - len(lived) - ended,
                "stall_ms": 1000 * max((each.longest for each in lived), default=0) if lived else None,
                "new_ms": 1000 * served[0] if served else None}

    def _probe(self, begin, served):
        """New visitors, one after the other, from the fault on; when one is answered, that is it."""
        while time.monotonic() < begin + WINDOW + 6:
            if self.served():
                served.append(time.monotonic() - begin)
                return
            time.sleep(0.02)


def nothing(_):
    pass


class Fault:
    def __init__(self, name, title, make, end=nothing, tidy=nothing, together=False):
        self.name = name
        self.title = title
        self.make = make
        self.end = end    # of those that end by themselves; time counts from here for whether a visitor lives
        self.tidy = tidy  # when the trial is over
        self.together = together  # both programs on one loopback


def reset(trial):
    trial.line.reset_carriers(trial.contestant.port, "left")


def cut(trial):
    trial.line.tell("cut")


def pass_again(trial):
    time.sleep(5)
    trial.line.tell("pass")


def forget(trial):
    trial.forgotten = trial.line.forget_carriers(trial.contestant.port)


def remember(trial):
    trial.line.remember_carriers(trial.forgotten)


def move(trial):
    trial.line.move_client()


def kill(trial):
    trial.processes.kill("server")


def start_again(trial):
    trial.processes.start("server", trial.processes.commands["server"])


FAULTS = [Fault("reset", "connections between the two programs reset, on loopback", reset, together=True),
          Fault("silence", "every packet lost for 5 s", cut, pass_again),
          Fault("forgotten", "the packets of existing connections lost for good, as behind a NAT that forgot them", forget,
                tidy=remember),
          Fault("moved", "the client's address changes", move),
          Fault("restart", "the server killed and started again", kill, start_again)]
