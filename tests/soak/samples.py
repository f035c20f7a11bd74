"""What the two programs use, sampled, and the rule by which it is flat.

Memory is flat when the median of the last quarter is at most 1.1 times that of the second, and 1 MiB. The first quarter
is for windows and pools to grow to what the load needs. A quarter below five minutes has too few faults in it for that: which
of them it has met decides how far windows have grown, so only a gross growth is told, 1.5 times and 8 MiB. After the load
all but 3 MiB of what came to it is given back; and there are as many descriptors, threads and visitors as before it.
"""

import pathlib
import statistics
import threading

LONG = 20        # minutes
KEPT_KIB = 3072  # after the load, beyond what was used before it


def usage(pid):
    """Of one process: resident memory in KiB, and the part of it that is no file; descriptors, threads."""
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return {"rss_kib": int(status["VmRSS"].split()[0]), "anonymous_kib": int(status["RssAnon"].split()[0]),
            "threads": int(status["Threads"]),
            "descriptors": len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))}


class Samples:
    """Of some processes by name, and of the server's own counters."""

    def __init__(self, pids, status):
        self.pids = pids
        self.status = status
        self.taken = []
        self.over = threading.Event()

    def start(self, interval):
        """Takes one so often, beside everything else, until stop()."""
        def work():
            while not self.over.wait(interval):
                self.taken.append(self.now())
        self.worker = threading.Thread(target=work)
        self.worker.start()

    def stop(self):
        self.over.set()
        self.worker.join()

    def now(self):
        said = self.status() or {"counters": {}}
        present = {name: usage(pid) for name, pid in self.pids.items()}
        present["counters"] = {name: said["counters"].get(name) for name in ("sessions", "visitors", "strangers")}
        return present

    def quarter(self, which, program, figure):
        size = len(self.taken)
        part = self.taken[which * size // 4:(which + 1) * size // 4]
        return statistics.median(each[program][figure] for each in part)

    def memory(self):
        """{program: (KiB in the second quarter, in the last, at most)}"""
        return {name: (self.quarter(1, name, "rss_kib"), self.quarter(3, name, "rss_kib"),
                       max(each[name]["rss_kib"] for each in self.taken)) for name in self.pids}

    def growth(self, minutes):
        """What is not flat, a line each."""
        share, slack_kib = (1.1, 1024) if minutes >= LONG else (1.5, 8192)
        return [f"the memory of the {name} grew from {second / 1024:.1f} to {last / 1024:.1f} MiB"
                for name, (second, last, _) in self.memory().items() if last > share * second + slack_kib]


def at_rest(before, after):
    """What is not again as before the load, a line each."""
    return [f"{figure} of {name}: {count} before the load, {after[name][figure]} after it"
            for name, figures in before.items() for figure, count in figures.items()
            if not figure.endswith("_kib") and after[name][figure] != count]


def memory_back(before, after):
    """What was not given back when there was nothing more to do, a line each."""
    return [f"the {name} keeps {after[name]['rss_kib'] / 1024:.1f} MiB, of {figures['rss_kib'] / 1024:.1f} before the load"
            for name, figures in before.items()
            if "rss_kib" in figures and after[name]["rss_kib"] > figures["rss_kib"] + KEPT_KIB]
