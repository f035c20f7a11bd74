"""What the kernel knows: free ports, and what processes have used. Everything is read from /proc."""

import os
import pathlib
import random
import resource

TICKS = os.sysconf("SC_CLK_TCK")
LISTENING = "0A"


def first_ephemeral_port():
    return int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])


def _tcp_ports(only_listening, process="self"):
    """Local ports of the TCP sockets in a process' network, TIME_WAIT included. The kernel lists those that listen first."""
    ports = set()
    for table in (f"/proc/{process}/net/tcp", f"/proc/{process}/net/tcp6"):
        if os.path.exists(table):
            with open(table) as lines:
                next(lines)
                for line in lines:
                    words = line.split(None, 4)
                    if only_listening and words[3] != LISTENING:
                        break
                    ports.add(int(words[1].rsplit(":", 1)[1], 16))
    return ports


def listening_ports(process="self"):
    """Asks the kernel and not the ports: a connection would be a visitor."""
    return _tcp_ports(only_listening=True, process=process)


_handed_out = set()


def free_ports(count):
    """Below the ephemeral range: in it, any ended connection may hold a port against a listener. Never one twice."""
    taken = _tcp_ports(only_listening=False) | _handed_out
    candidates = [port for port in range(10000, first_ephemeral_port()) if port not in taken]
    chosen = random.sample(candidates, count)
    _handed_out.update(chosen)
    return chosen


def free_port():
    return free_ports(1)[0]


def raise_descriptor_limit():
    """For us and all whom we start. Returns the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _stat(pid):
    """The fields of /proc/PID/stat from the state on; the name before them may contain anything."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(roots):
    """The processes of these ids and all their descendants that live now."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                children.setdefault(int(_stat(entry)[1]), []).append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                pass
    found = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def cpu_seconds(roots):
    """User and system time of the trees, of children that have ended, too."""
    ticks = 0
    for pid in tree(roots):
        try:
            ticks += sum(int(field) for field in _stat(pid)[11:15])  # utime, stime, cutime, cstime
        except (FileNotFoundError, ProcessLookupError):
            pass
    return ticks / TICKS


def fine_cpu_seconds(roots):
    """In nanoseconds where cpu_seconds() has ticks, but of live threads only: for many processes with little to do."""
    spent = 0
    for pid in tree(roots):
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            spent += int(task.read_text().split()[0])
    return spent / 1e9


def memory_kib(roots):
    """Of the trees: `pss`, their fair share of all pages, and `private`, the anonymous part of it."""
    total = {"pss": 0, "private": 0}
    names = {"Pss:": "pss", "Pss_Anon:": "private"}
    for pid in tree(roots):
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                words = line.split()
                if words[0] in names:
                    total[names[words[0]]] += int(words[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def description():
    """For the head of a report: absolute figures hold for this machine and hour only."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), os.uname().machine)
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "kernel": os.uname().release,
            "load": os.getloadavg()[0]}
