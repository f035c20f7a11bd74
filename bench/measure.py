"""One measurement after the other: contestants take turns within each work, and nobody else runs meanwhile."""

import contextlib
import math
import pathlib
import subprocess
import tempfile
import time

import machine
from processes import Failure, Processes
from services import Services


TROUBLE = (Failure, OSError, subprocess.SubprocessError, ValueError, KeyError, IndexError, ZeroDivisionError)


class Site:
    """A contestant that is up, in front of the service that the work wants."""

    def __init__(self, contestant, service, plan, place):
        self.contestant, self.service, self.plan = contestant, service, plan
        self.place = pathlib.Path(place)
        self.notes = []
        self.load = plan.paths.load
        self.seconds, self.visitors = plan.seconds, plan.visitors
        self.whole_seconds = math.ceil(plan.seconds)
        self.patience = plan.seconds + 30
        (self.place / "service").mkdir()
        self.services = Services(self.place / "service", self.load)
        self.processes = Processes(self.place)
        self.target = self.port = None

    def __enter__(self):
        try:
            self.target = self.services.start(self.service)
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.processes.end()
        self.services.processes.end()

    def open(self):
        self.port = self.contestant.open(self.processes, self.target)
        time.sleep(0.2)  # pools fill
        return self

    def another(self):
        """The same contestant and service anew, not yet opened."""
        return site(self.contestant, self.service, self.plan)

    def cpu_seconds(self):
        return self.processes.cpu_seconds()

    def fine_cpu_seconds(self, *names):
        return machine.fine_cpu_seconds(self.processes.roots(*names))

    def memory_kib(self, *names):
        return self.processes.memory_kib(*names)

    def charged(self, figures):
        """Figures of cost, of which a contestant without processes has none."""
        return figures if self.processes.running else {}

    def note(self, text):
        self.notes.append(text)


@contextlib.contextmanager
def site(contestant, service, plan):
    with tempfile.TemporaryDirectory(prefix="gotunnel-bench-", dir=plan.place) as place:
        with Site(contestant, service, plan, place) as made:
            yield made


def once(contestant, work, plan):
    """({figure: value}, notes)"""
    try:
        with site(contestant, work.service, plan) as made:
            if work.name != "scale-clients":
                made.open()
            return work.load(made), made.notes
    except TROUBLE as trouble:
        return {}, [f"failed: {trouble or type(trouble).__name__}"]


def everything(plan, tell):
    """(work name -> contestant name -> figure -> values, notes); tell() hears of every measurement."""
    values, notes = {}, []
    for turn in range(plan.rounds):
        for work in plan.works:
            suited = [contestant for contestant in plan.contestants if work.suits(contestant)]
            first = turn % max(1, len(suited))
            for contestant in suited[first:] + suited[:first]:
                figures, said = once(contestant, work, plan)
                kept = values.setdefault(work.name, {}).setdefault(contestant.name, {})
                for figure, value in figures.items():
                    kept.setdefault(figure, []).append(value)
                notes += [f"{work.name}, {contestant.name}, round {turn + 1}: {text}" for text in said]
                tell(turn, work, contestant, figures, said)
    return values, notes
