"""A long line between two networks (bench/wan): what happens on it, and what runs at its ends.

Servers live at the left end, clients and what they publish at the right one. Both networks are ours alone, so ports and
addresses are fixed. `Line` is used as a context; what was started in its networks has to end before it does.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess

SERVER = "10.77.0.1"
CLIENT = "10.77.0.2"
OTHER_CLIENT = "10.77.1.2"  # where the client is after a change of addresses
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class NotPossible(Exception):
    """This machine does not let us make networks."""


def obstacle(*programs):
    """Why nobody can work in networks of their own with these programs here, or None."""
    if os.geteuid() != 0:
        return "it takes root to enter networks"
    return next((f"{each} is not installed" for each in ("nsenter", "ip", "ss", *programs) if not shutil.which(each)), None)


class Line:
    def __init__(self, wan, place, *settings):
        self.wan = str(wan)
        self.control = pathlib.Path(place) / "line"
        command = [self.wan, *settings, "--control", str(self.control)]
        for side in ("left", "right"):
            command += [f"--{side}", f"echo {side} $$; exec sleep infinity"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.PIPE)
        self.pids = dict(words for words in (self.process.stdout.readline().split() for _ in range(2)) if words)
        if len(self.pids) < 2:
            said = self.process.communicate()[1].strip()
            raise NotPossible(said) if self.process.returncode == 77 else RuntimeError(said)

        # Else the rules of forget_carriers() come after the one that delivers what is for this host.
        for side in self.pids:
            self.do(side, "ip", "rule", "del", "lookup", "local")
            self.do(side, "ip", "rule", "add", "pref", 100, "lookup", "local")

    def tell(self, *words):
        said = subprocess.run([self.wan, "tell", str(self.control), *words], capture_output=True, text=True, timeout=10)
        if said.returncode != 0:
            raise RuntimeError(f"wan tell {' '.join(words)}: {said.stdout}{said.stderr}")
        return said.stdout

    def network(self, side):
        return f"/proc/{self.pids[side]}/ns/net"

    def at(self, side, *command):
        """The command that does this one at that end, as the same process."""
        return ["nsenter", f"--net={self.network(side)}", *(str(word) for word in command)]

    def do(self, side, *command, patience=20):
        """To its end; what it printed. Fails loudly: a fault that was not made proves nothing."""
        done = subprocess.run(self.at(side, *command), capture_output=True, text=True, timeout=patience)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    @contextlib.contextmanager
    def inside(self, side):
        """Sockets that this thread makes meanwhile are of that network, and stay in it."""
        with open("/proc/thread-self/ns/net") as before, open(self.network(side)) as there:
            _enter(there)
            try:
                yield
            finally:
                _enter(before)

    def reset_carriers(self, port, side="right"):
        """Both ends of every connection to the server's port get a reset, as from a box between them."""
        before = self.carrier_ports(port, side)
        self.do(side, "ss", "-K", "-t", "state", "established", "dport", "=", f":{port}")
        # ss says nothing when the kernel was built without that.
        if stayed := set(before) & set(self.carrier_ports(port, side)):
            raise RuntimeError(f"ss -K did not end the connections from {', '.join(stayed)}")

    def carrier_ports(self, port, side="right"):
        """The client's ports of the established connections to the server's."""
        table = self.do(side, "ss", "-Htn", "state", "established", "dport", "=", f":{port}")
        return [row.split()[2].rsplit(":", 1)[1] for row in table.splitlines()]

    def forget_carriers(self, port):
        """What the connections of now carry is lost in silence from here on, as behind a NAT that lost its table. New ones
        pass. Returns what remember_carriers() takes."""
        rules = [("left", "sport", each) for each in self.carrier_ports(port)]
        rules += [("right", "dport", each) for _, _, each in rules]
        for rule in rules:
            self._lose("add", *rule)
        return rules

    def remember_carriers(self, rules):
        for rule in rules:
            self._lose("del", *rule)

    def _lose(self, verb, side, end, port):
        self.do(side, "ip", "rule", verb, "pref", 10, "iif", "wan0", "ipproto", "tcp", end, port, "blackhole")

    def move_client(self):
        """To its other address, or back: the old one is gone at once, and with it what was under way to it."""
        now = CLIENT if OTHER_CLIENT in self.do("right", "ip", "-o", "addr", "show", "wan0") else OTHER_CLIENT
        self.do("right", "ip", "addr", "flush", "dev", "wan0")
        self.do("right", "ip", "addr", "add", now, "peer", SERVER, "dev", "wan0")
        self.do("left", "ip", "route", "replace", now, "dev", "wan0")
        return now

    def interface(self, side, state):
        self.do(side, "ip", "link", "set", "wan0", state)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


def _enter(network):
    if LIBC.setns(network.fileno(), CLONE_NEWNET) != 0:
        raise NotPossible(f"setns: {os.strerror(ctypes.get_errno())}")
