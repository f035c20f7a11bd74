"""The works: what each does to a tunnel, and the figures that it brings home.

A work is called with a Site: a contestant that is up, with nobody else beside it. Figures are named by what they mean
and end in their unit; report.py knows the endings.
"""

import json
import re
import time

from processes import Background, Failure, output_of

SETTLE = 1.0  # seconds until a tunnel that has nothing to do has given back what it can
REST = 6.0    # ... and what starting it took, which gotunnel gives back after four quiet seconds
WARM_UP = 0.3  # seconds until windows have grown
PACE = 5  # ms between paced messages


class Work:
    def __init__(self, name, title, service, load, quick=True, only=None):
        self.name = name
        self.title = title
        self.service = service
        self.load = load  # (site) -> {figure: value}
        self.quick = quick
        self.only = only  # the name of the one contestant that it is for

    def suits(self, contestant):
        return self.name not in contestant.skips and self.only in (None, contestant.name)


def per(amount, units):
    return amount / units if units else None


def bulk(streams, down):
    def load(site):
        before = site.cpu_seconds()
        said = output_of(["iperf3", "-c", "127.0.0.1", "-p", site.port, "-P", streams, "-t", site.whole_seconds, "-J",
                          *(["-R"] if down else [])], site.patience)
        spent = site.cpu_seconds() - before
        received = json.loads(said)["end"]["sum_received"]
        return {"throughput_gbit_s": received["bits_per_second"] / 1e9,
                **site.charged({"cpu_s_per_gb": per(spent, received["bytes"] / 1e9)})}
    return load


def http(*headers):
    def load(site):
        before = site.cpu_seconds()
        said = output_of(["wrk", "-t1", "-c64", f"-d{site.whole_seconds}s", "--timeout", "10s", *headers,
                          f"http://127.0.0.1:{site.port}/page"], site.patience)
        spent = site.cpu_seconds() - before
        count = re.search(r"(\d+) requests in", said)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
        if not count or not rate or int(count.group(1)) == 0:
            raise Failure("no request was answered")
        if trouble := re.search(r"Socket errors:.*|Non-2xx.*", said):
            site.note(trouble.group())
        return {"requests_per_s": float(rate.group(1)),
                **site.charged({"cpu_us_per_request": spent * 1e6 / int(count.group(1))})}
    return load


def ping_pong(site, *pace):
    return json.loads(output_of([site.load, "ping_pong", site.port, site.seconds, *pace], site.patience))


def ping(site):
    said = ping_pong(site)
    return {name: said[name] for name in ("p50_us", "p99_us", "max_us")}


class Flood(Background):
    """`load flood` at work; its samples tell the rate at the receiver between any two moments."""

    def __init__(self, site, direction, streams, seconds, ports):
        super().__init__([site.load, "flood", direction, seconds, site.target, streams, *ports],
                         site.patience + seconds)

    def __enter__(self):
        try:
            self.await_line("flowing")
        except Failure:
            self.__exit__()
            raise
        return self

    def finish(self, site):
        self.said = json.loads(self.output())
        if (lost := self.said["streams"] - self.said["survivors"]) > 0:
            site.note(f"{lost} streams of the flood broke")

    def gbit_s(self, start=0, end=float("inf")):
        inside = [sample for sample in self.said["samples"] if start <= sample[0] <= end]
        (from_time, from_bytes), (to_time, to_bytes) = inside[0], inside[-1]
        return (to_bytes - from_bytes) * 8e-9 / (to_time - from_time)


def ping_beside(direction, streams=8):
    """Thirds of a flood: alone, beside messages back to back, and beside messages at a steady pace; over one tunnel."""
    def load(site):
        with Flood(site, direction, streams, 3 * site.seconds + 1 + WARM_UP, [site.port]) as flood:
            time.sleep(WARM_UP)
            begin = time.monotonic()
            time.sleep(site.seconds)
            joined = time.monotonic()
            messages = ping_pong(site)
            left = time.monotonic()
            paced = ping_pong(site, PACE)
            flood.finish(site)
        alone, beside = flood.gbit_s(begin, joined), flood.gbit_s(joined, left)
        return {"p50_us": messages["p50_us"], "p99_us": messages["p99_us"], "paced_p50_us": paced["p50_us"],
                "paced_p99_us": paced["p99_us"], "bulk_alone_gbit_s": alone, "bulk_beside_gbit_s": beside,
                "bulk_lost_percent": 100 * (1 - per(beside, alone))}
    return load


def rest(site):
    time.sleep(REST)
    return {"pss_mib": site.memory_kib()["pss"] / 1024}


def visitors(site):
    ends = list(site.processes.running)
    time.sleep(SETTLE)
    before = {end: site.memory_kib(end) for end in ends}
    with Background([site.load, "idle_visitors", site.port, site.visitors], site.patience + 60) as crowd:
        crowd.await_line("ready")
        time.sleep(SETTLE)
        after = {end: site.memory_kib(end) for end in ends}
    grown = {end: {kind: after[end][kind] - before[end][kind] for kind in before[end]} for end in ends}
    each = {f"{end}_private_kib_per_visitor": grown[end]["private"] / site.visitors for end in ends}
    both = {f"{kind}_kib_per_visitor": sum(grown[end][kind] for end in ends) / site.visitors
            for kind in ("private", "pss")}
    return {**both, "with_visitors_pss_mib": sum(after[end]["pss"] for end in ends) / 1024, **each}


def flood_cost(site, figure, direction, streams, ports):
    """CPU of both ends and of the server alone."""
    before = site.fine_cpu_seconds(), site.fine_cpu_seconds("server")
    with Flood(site, direction, streams, site.seconds, ports) as flood:
        flood.finish(site)
    after = site.fine_cpu_seconds(), site.fine_cpu_seconds("server")
    gigabytes = flood.said["drained"] / 1e9
    return {f"{figure}_throughput_gbit_s": flood.gbit_s(), f"{figure}_cpu_s_per_gb": (after[0] - before[0]) / gigabytes,
            f"{figure}_server_cpu_s_per_gb": (after[1] - before[1]) / gigabytes}


def more_streams(counts=(1, 8, 64, 1000)):
    def load(site):
        figures = {}
        for count in counts:
            for direction in ("up", "down"):
                figures |= flood_cost(site, f"{count}_{direction}", direction, count, [site.port])
        return figures
    return load


def more_clients(counts=(1, 8, 64, 500)):
    def load(site):
        figures = {}
        for count in counts:
            with site.another() as other:
                ports = other.contestant.open_many(other.processes, other.target, count)
                for direction in ("up", "down"):
                    figures |= flood_cost(other, f"{count}_{direction}", direction, count, ports)
        return figures
    return load


WORKS = [
    Work("bulk-1-up", "1 upload (iperf3)", "iperf", bulk(1, down=False)),
    Work("bulk-1-down", "1 download (iperf3)", "iperf", bulk(1, down=True), quick=False),
    Work("bulk-8-up", "8 uploads (iperf3)", "iperf", bulk(8, down=False), quick=False),
    Work("bulk-8-down", "8 downloads (iperf3)", "iperf", bulk(8, down=True)),
    Work("http-keep", "HTTP keep-alive, 64 connections (wrk, nginx, 1 KiB)", "web", http()),
    Work("http-close", "HTTP `Connection: close`, 64 at a time (wrk, nginx, 1 KiB)", "web",
         http("-H", "Connection: close")),
    Work("ping", "64-byte ping-pong, idle tunnel", "local", ping),
    Work("ping-beside-up", "64-byte ping-pong beside 8 uploads", "local", ping_beside("up"), quick=False),
    Work("ping-beside-down", "64-byte ping-pong beside 8 downloads", "local", ping_beside("down")),
    Work("rest", "both ends at rest", "local", rest),
    Work("visitors", "idle visitors, memory of both ends", "local", visitors),
    Work("scale-streams", "CPU per byte from 1 to 1000 streams of one client", "local", more_streams(), quick=False,
         only="gotunnel"),
    Work("scale-clients", "CPU per byte from 1 to 500 clients with a stream each", "local", more_clients(), quick=False,
         only="gotunnel"),
]
