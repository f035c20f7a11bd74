"""The long transfer beside a database, and the faults that are made meanwhile: prints and returns one result for each.

Bytes and pauses are told by the readers at both ends. Whether any byte was lost is known when the transfer has ended and
both ends have compared what was sent with what came; a difference counts for all faults.
"""

import json
import pathlib
import random
import subprocess
import sys
import time

import database
import faults
from result import Result
from tunnel import PATIENCE, Tunnel

HERE = pathlib.Path(__file__).resolve().parent
SERVICE = 9000
PUBLIC = 8000
CONNECTIONS = 10
SETTLE = 2  # seconds after a fault until the next: a pause that it caused ends within them
TRANSFER_SECONDS = 240  # for all that is left to send when the last fault is over


class Stage:
    def __init__(self, options, line, processes, chance):
        self.line = line
        self.processes = processes
        self.chance = chance
        self.tunnel = Tunnel(options.gotunnel, line, processes)
        self.database = database.find(line, processes)
        self.least = options.mib * 1024 * 1024 // CONNECTIONS

    def build(self, seed):
        self.line.tell("delay", faults.RTT)
        self.line.tell("rate", faults.RATE)
        self.tunnel.start_server()
        self.database.start()
        self.tunnel.start_client("client-database", database.PUBLIC, database.PORT)
        self.database.fill()
        self.service = start_service(self.line, self.processes.place, SERVICE)
        self.tunnel.start_client("client-transfer", PUBLIC, SERVICE)
        self.visitors = start_visitors(self.line, f"127.0.0.1:{PUBLIC}", CONNECTIONS, self.least, seed)

    def resumed(self):
        """How often both clients went on with another carrier so far."""
        return sum(self.processes.log(name).count("goes on after") for name in ("client-database", "client-transfer"))


def start_service(line, place, port):
    log = open(place / "service.log", "w")
    service = subprocess.Popen(line.at("right", sys.executable, HERE / "transfer.py", "serve", port), text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
    assert service.stdout.readline() == "serving\n"
    return service


def start_visitors(line, address, connections, least, seed):
    visitors = subprocess.Popen(line.at("left", sys.executable, HERE / "transfer.py", "visit", address, connections, least,
                                        seed), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert visitors.stdout.readline() == "flowing\n"
    return visitors


def finish(service, visitors, seconds=TRANSFER_SECONDS):
    """The reports of both ends, the visitors' first."""
    said = visitors.communicate("", timeout=seconds)[0]
    service.terminate()
    return json.loads(said), json.loads(service.communicate(timeout=PATIENCE)[0])


def differences(visitors, service):
    """(bytes that did not arrive, one line for each connection with anything wrong)"""
    lost, wrong = 0, []
    for number, here in visitors["connections"].items():
        there = service["connections"].get(number)
        if there is None:
            wrong.append(f"connection {number} never arrived")
            lost += here["sent"]
            continue
        for name, sender, receiver in (("to the service", here, there), ("to the visitor", there, here)):
            lost += abs(sender["sent"] - receiver["received"])
            if sender["sent_sha256"] != receiver["received_sha256"]:
                wrong.append(f"connection {number} {name}: sent {sender['sent']}, received {receiver['received']} bytes, "
                             f"the checksums differ; {here['error'] or there['error'] or 'no error'}")
        if here["error"] or there["error"]:
            wrong.append(f"connection {number}: visitor {here['error']}, service {there['error']}")
    return lost, wrong


def moved_between(reports, start, end):
    """Bytes received at both ends meanwhile."""
    total = 0
    for report in reports:
        inside = [count for when, count in report["received"] if start <= when <= end]
        total += inside[-1] - inside[0] if inside else 0
    return total


def longest_pause(reports, start, end):
    """Milliseconds of the longest that any reader waited and that began or ended in this time."""
    return max((1000 * (to - since) for report in reports for _, since, to in report["pauses"]
                if since <= end and to >= start), default=20)


def run(options, line, processes, wanted):
    """Every fault of `wanted`, in their order; a Result each."""
    chosen = [each for each in faults.FAULTS if each.name in wanted]
    if not chosen:
        return []
    stage = Stage(options, line, processes, random.Random(options.seed))
    stage.build(options.seed)
    planned = sum(each.seconds + SETTLE for each in chosen)
    asking = subprocess.Popen(stage.database.ask(planned), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    made = []
    for each in chosen:
        start, before = time.monotonic(), stage.resumed()
        what = each.make(stage)
        time.sleep(SETTLE)
        taken = stage.resumed() - before
        wrong = [f"{taken} takeovers and not {each.takeovers}"] if taken < each.takeovers else []
        made.append((each.name, what, start, time.monotonic(), taken, wrong))
    answered = asking.communicate(timeout=TRANSFER_SECONDS)[0]
    reports = finish(stage.service, stage.visitors)
    for name, report in zip(("visitors", "service"), reports):
        (processes.place / f"{name}.json").write_text(json.dumps(report))
    lost, wrong = differences(*reports)
    transactions, trouble = stage.database.verdict(asking.returncode, answered)
    wrong += [f"{stage.database.name}: {trouble}"] if trouble else []
    ran = f"{CONNECTIONS} connections both ways and {stage.database.name}"
    results = [Result(name, what, ran, moved_between(reports, start, end), lost, longest_pause(reports, start, end), resumed,
                      own + wrong) for name, what, start, end, resumed, own in made]
    total = sum(each["received"] for each in reports[1]["connections"].values())
    back = sum(each["received"] for each in reports[0]["connections"].values())
    print(f"the transfer: {total >> 20} MiB up, {back >> 20} MiB down, checksums compared; {stage.database.name}: "
          f"{transactions}", flush=True)
    stage.tunnel.leave("client-transfer")
    stage.tunnel.leave("client-database")
    stage.tunnel.leave_successor()
    return results
