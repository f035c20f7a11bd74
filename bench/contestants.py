"""Who is measured, and how each is set up: one class each.

open() starts both ends with `processes` and returns the public port that leads to `target`, a port of 127.0.0.1. All
listen on 127.0.0.1, but for the tunnel's own port where `host` says otherwise; open() leaves that port in `port`. What it
starts is charged with CPU and memory, so nothing else may be started there.
"""

import getpass
import os
import shutil
import subprocess
from pathlib import Path

import machine
from processes import Failure


def first_line(*command):
    """Of what a program says about its version, on whichever stream."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines else "unknown"


class Contestant:
    name = ""
    title = ""
    encrypted = True
    programs = ()
    version_command = ()
    skips = ()  # names of works

    def __init__(self, paths, keys=None):
        self.paths = paths
        self.keys = keys
        self.host = "127.0.0.1"
        self.port = None

    def missing(self):
        """The first program that is not there, or None."""
        return next((program for program in self.programs if not shutil.which(program)), None)

    def version(self):
        return first_line(*self.version_command) if self.version_command else ""

    def open(self, processes, target):
        raise NotImplementedError

    def start_pair(self, processes, server, port, client, public):
        """The server; when it listens on `port` the client; and back when visitors can come."""
        self.port = port
        processes.start("server", server)
        processes.await_listening(port)
        processes.start("client", client)
        processes.await_listening(public)
        return public


class Gotunnel(Contestant):
    name = "gotunnel"
    title = "TLS 1.3, all streams of a client over one connection"
    client_options = ()

    def missing(self):
        return None if os.access(self.paths.gotunnel, os.X_OK) else str(self.paths.gotunnel)

    def version(self):
        return first_line(str(self.paths.gotunnel), "--version")

    def start_server(self, processes):
        port = self.port = machine.free_port()
        processes.start("server", [self.paths.gotunnel, "server", "-secret-file", self.keys.secret, "-certs",
                                   self.keys.place / "gotunnel", "-listen", f"{self.host}:{port}", "-bind", "127.0.0.1",
                                   "-grace", "1s"])
        processes.await_that(lambda: "is ready on" in processes.log("server"), "the server")  # makes its CA at first
        return port

    def start_client(self, processes, server, public, target, name="client"):
        processes.start(name, [self.paths.gotunnel, "client", "-server", f"{self.host}:{server}", "-secret-file",
                               self.keys.secret, "-ca", self.keys.place / "gotunnel/ca.crt", "-remote-port", public,
                               "-local-target", f"127.0.0.1:{target}", "-state-dir", processes.place / f"state-{name}",
                               "-grace", "1s", *self.client_options])

    def open(self, processes, target):
        public = machine.free_port()
        self.start_client(processes, self.start_server(processes), public, target)
        processes.await_listening(public)
        return public

    def open_many(self, processes, target, count):
        """So many clients of one server, each with a port of its own; in batches, that no handshake waits too long."""
        server = self.start_server(processes)
        ports = machine.free_ports(count)
        for at in range(0, count, 25):
            batch = ports[at:at + 25]
            for port in batch:
                self.start_client(processes, server, port, target, f"client-{port}")
            processes.await_listening(*batch, seconds=60)
        return ports


class Ssh(Contestant):
    name = "ssh"
    title = "ssh -R, aes128-gcm@openssh.com"
    programs = ("ssh", "sshd", "ssh-keygen")
    version_command = ("ssh", "-V")

    def open(self, processes, target):
        port, public = machine.free_ports(2)
        keys = self.keys.ssh
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        config = processes.place / "sshd.conf"
        config.write_text(f"""Port {port}
ListenAddress {self.host}
HostKey {keys}/host
AuthorizedKeysFile {keys}/authorized
PidFile {processes.place}/sshd.pid
Ciphers aes128-gcm@openssh.com
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
""")
        server = [shutil.which("sshd"), "-D", "-e", "-f", config]
        client = ["ssh", "-N", "-F", "none", "-p", port, "-l", getpass.getuser(), "-i", keys / "user",
                  "-c", "aes128-gcm@openssh.com", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
                  "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ExitOnForwardFailure=yes",
                  "-R", f"127.0.0.1:{public}:127.0.0.1:{target}", self.host]
        return self.start_pair(processes, server, port, client, public)


class Haproxy(Contestant):
    name = "haproxy"
    title = "two haproxies, plain -> TLS 1.3 -> plain, a thread each, a TLS connection per visitor"
    programs = ("haproxy",)
    version_command = ("haproxy", "-v")

    def open(self, processes, target):
        hop, public = machine.free_ports(2)
        tls = "ciphersuites TLS_AES_128_GCM_SHA256 ssl-min-ver TLSv1.3"
        self._start(processes, "exit", f"127.0.0.1:{hop} ssl crt {self.keys.bundle} {tls}", f"127.0.0.1:{target}")
        self._start(processes, "entry", f"127.0.0.1:{public}", f"127.0.0.1:{hop} ssl verify none {tls}")
        processes.await_listening(hop, public)
        return public

    @staticmethod
    def _start(processes, name, bind, server):
        config = processes.place / f"{name}.cfg"
        config.write_text(f"""global
    nbthread 1
    maxconn 9000
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen {name}
    bind {bind}
    server next {server}
""")
        processes.start(name, ["haproxy", "-db", "-f", config])


class Rathole(Contestant):
    programs = ("rathole",)

    def __init__(self, kind, paths, keys=None):
        super().__init__(paths, keys)
        self.kind = kind
        self.name = f"rathole-{kind}"
        self.encrypted = kind != "plain"
        self.title = {"tls": "rathole over TLS", "noise": "rathole over Noise, its default pattern",
                      "plain": "rathole over plain TCP"}[kind]

    def version(self):
        done = subprocess.run(["rathole", "--version"], capture_output=True, text=True).stdout
        return next((line.strip() for line in done.splitlines() if "Version" in line), "unknown")

    def transport(self):
        """The tables of the server's and the client's transport."""
        if self.kind == "tls":
            return (f'[server.transport]\ntype = "tls"\n[server.transport.tls]\npkcs12 = "{self.keys.pkcs12}"\n'
                    f'pkcs12_password = "{self.keys.password}"\n',
                    f'[client.transport]\ntype = "tls"\n[client.transport.tls]\nhostname = "localhost"\n'
                    f'trusted_root = "{self.keys.certificate}"\n')
        if self.kind == "noise":
            private, public = self.keys.noise
            return (f'[server.transport]\ntype = "noise"\n[server.transport.noise]\nlocal_private_key = "{private}"\n',
                    f'[client.transport]\ntype = "noise"\n[client.transport.noise]\nremote_public_key = "{public}"\n')
        return "", ""

    def open(self, processes, target):
        port, public = machine.free_ports(2)
        of_server, of_client = self.transport()
        token = f'default_token = "{self.keys.password}"\n'
        (processes.place / "server.toml").write_text(
            f'[server]\nbind_addr = "{self.host}:{port}"\n{token}{of_server}'
            f'[server.services.bench]\nbind_addr = "127.0.0.1:{public}"\n')
        (processes.place / "client.toml").write_text(
            f'[client]\nremote_addr = "{self.host}:{port}"\n{token}{of_client}'
            f'[client.services.bench]\nlocal_addr = "127.0.0.1:{target}"\n')
        return self.start_pair(processes, ["rathole", "--server", "server.toml"], port,
                               ["rathole", "--client", "client.toml"], public)


class Bore(Contestant):
    name = "bore"
    title = "bore, plain TCP"
    encrypted = False
    programs = ("bore",)
    version_command = ("bore", "--version")
    CONTROL_PORT = 7835  # cannot be chosen

    def open(self, processes, target):
        if self.CONTROL_PORT in machine.listening_ports():
            raise Failure(f"port {self.CONTROL_PORT}, which bore needs, is taken")
        public = machine.free_port()
        client = ["bore", "local", target, "--local-host", "127.0.0.1", "--to", self.host, "--port", public]
        server = ["bore", "server", "--bind-addr", self.host, "--bind-tunnels", "127.0.0.1"]
        return self.start_pair(processes, server, self.CONTROL_PORT, client, public)


class Frp(Contestant):
    programs = ("frps", "frpc")
    version_command = ("frps", "--version")

    def __init__(self, mux, paths, keys=None):
        super().__init__(paths, keys)
        self.mux = mux
        self.name = "frp" if mux else "frp-nomux"
        self.title = "frp over TLS, " + ("with its mux" if mux else "without its mux, a pool of 5 connections")

    def open(self, processes, target):
        port, public = machine.free_ports(2)
        mux = f"transport.tcpMux = {str(self.mux).lower()}\n"
        (processes.place / "frps.toml").write_text(
            f'bindAddr = "127.0.0.1"\nproxyBindAddr = "127.0.0.1"\nbindPort = {port}\n{mux}'
            f'auth.token = "{self.keys.password}"\nlog.level = "warn"\n')
        (processes.place / "frpc.toml").write_text(
            f'serverAddr = "127.0.0.1"\nserverPort = {port}\n{mux}transport.poolCount = 5\n'
            f'auth.token = "{self.keys.password}"\nlog.level = "warn"\n'
            f'[[proxies]]\nname = "bench"\ntype = "tcp"\nlocalIP = "127.0.0.1"\nlocalPort = {target}\n'
            f'remotePort = {public}\n')
        return self.start_pair(processes, ["frps", "-c", "frps.toml"], port, ["frpc", "-c", "frpc.toml"], public)


class Chisel(Contestant):
    name = "chisel"
    title = "chisel, SSH within a WebSocket"
    programs = ("chisel",)
    version_command = ("chisel", "--version")

    def open(self, processes, target):
        port, public = machine.free_ports(2)
        login = f"bench:{self.keys.password}"
        server = ["chisel", "server", "--host", "127.0.0.1", "--port", port, "--reverse", "--auth", login]
        client = ["chisel", "client", "--auth", login, f"http://127.0.0.1:{port}",
                  f"R:127.0.0.1:{public}:127.0.0.1:{target}"]
        return self.start_pair(processes, server, port, client, public)


class Floor(Contestant):
    name = "floor"
    title = "the cheapest encrypted path of two hops: no mux, blocking threads (bench/floor)"
    skips = ("visitors",)  # four threads a visitor

    def missing(self):
        return None if self.paths.floor.exists() else str(self.paths.floor)

    def open(self, processes, target):
        hop, public = machine.free_ports(2)
        processes.start("exit", [self.paths.floor, "exit", hop, f"127.0.0.1:{target}",
                                 self.keys.certificate, self.keys.key])
        processes.start("entry", [self.paths.floor, "entry", public, f"127.0.0.1:{hop}"])
        processes.await_listening(hop, public)
        return public


class Direct(Contestant):
    name = "direct"
    title = "no tunnel at all"
    encrypted = False
    skips = ("rest", "visitors")

    def open(self, processes, target):
        return target


def everybody(paths, keys=None):
    return [Gotunnel(paths, keys), Ssh(paths, keys), Haproxy(paths, keys), Frp(True, paths, keys),
            Frp(False, paths, keys), Rathole("tls", paths, keys), Rathole("noise", paths, keys), Chisel(paths, keys),
            Rathole("plain", paths, keys), Bore(paths, keys), Floor(paths, keys), Direct(paths, keys)]
