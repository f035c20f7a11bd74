"""Processes that we started, and only those: each is ended by its id."""

import os
import pathlib
import signal
import subprocess
import threading
import time

import machine


class Failure(Exception):
    """Something did not start, or did not work. Its text is what the report says."""


class Processes:
    """The processes of one measurement, with their logs in one directory."""

    def __init__(self, place):
        self.place = pathlib.Path(place)
        self.running = {}

    def start(self, name, command, **options):
        log = self.place / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, cwd=self.place, **options)
        self.running[name] = process
        return process

    def log(self, name):
        return (self.place / f"{name}.log").read_text(errors="replace")

    def await_that(self, holds, what, seconds=15):
        """Until `holds()`; fails at once when one of the processes has ended."""
        end = time.monotonic() + seconds
        while not holds():
            for name, process in self.running.items():
                if process.poll() is not None:
                    raise Failure(f"{name} ended with {process.returncode}: {self.log(name).strip()[-300:]}")
            if time.monotonic() > end:
                raise Failure(f"waited {seconds} s for {what}")
            time.sleep(0.01)

    def await_listening(self, *ports, seconds=15):
        names = ", ".join(str(port) for port in ports[:3])
        self.await_that(lambda: machine.listening_ports().issuperset(ports), f"port {names}", seconds)

    def roots(self, *names):
        return [process.pid for name, process in self.running.items() if not names or name in names]

    def cpu_seconds(self, *names):
        return machine.cpu_seconds(self.roots(*names))

    def memory_kib(self, *names):
        return machine.memory_kib(self.roots(*names))

    def end(self):
        """Everybody in the trees is asked; who of ours stays for 3 s is killed."""
        for pid in machine.tree(self.roots()):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        for process in self.running.values():
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def output_of(command, seconds):
    """What a load printed; Failure when it failed or hung."""
    try:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failure(f"{pathlib.Path(command[0]).name} did not end within {seconds:.0f} s") from None
    if done.returncode != 0:
        raise Failure(f"{pathlib.Path(command[0]).name}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


class Background:
    """A load that goes on beside another; killed after `seconds`, so that a tunnel that hangs cannot hold us."""

    def __init__(self, command, seconds):
        self.name = " ".join(str(word) for word in [pathlib.Path(command[0]).name, *command[1:2]])
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.limit = threading.Timer(seconds, self.process.kill)
        self.limit.daemon = True
        self.limit.start()

    def await_line(self, expected):
        if self.process.stdout.readline() != expected + "\n":
            raise self._failure(self.process.communicate()[1])

    def output(self):
        """Ends its input, waits for its end."""
        said, complaint = self.process.communicate()
        if self.process.returncode != 0:
            raise self._failure(complaint)
        return said

    def _failure(self, complaint):
        return Failure(f"{self.name}: {complaint.strip() or 'took too long'}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.limit.cancel()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate()
