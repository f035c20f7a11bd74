"""What whoever may write to a folder of ours plants there: root, or the server itself, must not do with it what they could not."""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import threading
import time

from arena import PATIENCE, needs
from result import Attack

SERVICE = 65534  # the user that a server would run as; it owns the folder, and nothing else here
LATE = 1.0  # seconds; nobody else's trouble with files may hold a visitor up for longer
PRECIOUS = {"one": "precious", "ca.crt": "precious", "two": "precious"}


def not_root():
    return None if os.geteuid() == 0 else "only root can lose what a service user could not take"


def as_service(act):
    """Planted by the service user itself, so that it needs no more than that."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setgid(SERVICE)
            os.setuid(SERVICE)
            act()
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise OSError("the service user could not plant it")


class Folder:
    """Certificates that belong to the service user, and a folder of root's beside them."""

    def __init__(self, arena, sound):
        self.gotunnel = arena.gotunnel
        self.place = arena.place / "planted"
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(0o755)
        arena.place.chmod(0o755)
        self.certs = self.place / "certs"
        shutil.copytree(sound, self.certs, ignore=shutil.ignore_patterns("control.sock"))
        self.precious = self.place / "precious"
        self.precious.mkdir(0o700)
        for name, text in PRECIOUS.items():
            (self.precious / name).write_text(text)
        for each in [self.certs, *self.certs.iterdir()]:
            os.chown(each, SERVICE, SERVICE)

    def plant(self, name, target):
        def act():
            with contextlib.suppress(FileNotFoundError):
                (self.certs / name).unlink()
            (self.certs / name).symlink_to(target)
        as_service(act)

    def run(self, *words):
        return subprocess.run([self.gotunnel, *map(str, words), "-certs", self.certs], capture_output=True, text=True,
                              timeout=PATIENCE, stdin=subprocess.DEVNULL)

    def damage(self):
        left = {each.name: each.read_text() for each in self.precious.iterdir()} if self.precious.exists() else {}
        return None if left == PRECIOUS else f"root's folder holds {sorted(left)} and no more {sorted(PRECIOUS)}"


def links_to_folders(folder, wrong):
    for name in (".new.tmp", ".new"):
        for words in (["pki", "show"], ["pki", "renew"]):
            folder.plant(name, folder.precious)
            folder.run(*words)
            if damage := folder.damage():
                wrong.append(f"`gotunnel {' '.join(words)}` with {name} as a link: {damage}")
                return
        (folder.certs / name).unlink()


def links_to_files(folder, wrong):
    """Root reads what the service user cannot: it must not be taken for a certificate, and not be told."""
    elsewhere = folder.precious / "key"
    for name in ("ca.crt", "server.crt", "server.key"):
        elsewhere.write_text((folder.certs / name).read_text())
        elsewhere.chmod(0o600)
        kept = (folder.certs / name).read_text()
        folder.plant(name, elsewhere)
        if folder.run("pki", "show").returncode == 0:
            wrong.append(f"root reads through {name}, a link to a file that the service user may not read")
        (folder.certs / name).unlink()
        (folder.certs / name).write_text(kept)
        os.chown(folder.certs / name, SERVICE, SERVICE)
        elsewhere.unlink()


def a_link_to_a_socket(folder, wrong):
    """`server status` by root says its word to whatever control.sock leads to."""
    heard = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder.precious / "root.sock"))
        listener.listen()
        listener.settimeout(PATIENCE)

        def hear():
            with contextlib.suppress(OSError):
                peer, _ = listener.accept()
                with peer:
                    heard.append(peer.recv(100))

        thread = threading.Thread(target=hear, daemon=True)
        thread.start()
        folder.plant("control.sock", folder.precious / "root.sock")
        folder.run("server", "status")
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)
    (folder.precious / "root.sock").unlink()
    if heard:
        wrong.append(f"`gotunnel server status` by root talks to a socket that control.sock is a link to: {heard[0]!r}")


def folders_that_others_can_write(folder, wrong):
    folder.certs.chmod(0o777)
    shown = folder.run("pki", "show")
    folder.certs.chmod(0o700)
    if shown.returncode != 2 or "can write to it" not in shown.stderr or str(folder.certs) not in shown.stderr:
        wrong.append(f"a folder that everybody can write to is used: {shown.returncode}, {shown.stderr.strip()!r}")


def what_root_renews(folder, wrong):
    folder.run("pki", "renew")
    owners = {each.name: each.stat().st_uid for each in folder.certs.iterdir()}
    if set(owners.values()) != {SERVICE}:
        wrong.append(f"after `gotunnel pki renew` by root the server cannot read its own files: {owners}")


@needs(not_root)
def planted_links(arena):
    arena.start_server()
    arena.processes.end()
    wrong = []
    tried = [links_to_folders, links_to_files, a_link_to_a_socket, folders_that_others_can_write, what_root_renews]
    for each in tried:
        each(Folder(arena, arena.certs), wrong)
    return ("links and folders that the service user plants among the certificates, root looks at them",
            f"{len(tried)} kinds, {len(wrong)} got through", wrong)


@contextlib.contextmanager
def locked(folder):
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def held_lock(arena):
    """Whoever can open the folder can hold its lock, and a hung file system holds it for everybody."""
    arena.open("-cert-check", "20ms")
    seconds = arena.seconds(30, 3)
    wrong = []
    with arena.neighbour() as neighbour:
        with locked(arena.certs):
            end = time.monotonic() + seconds
            reload = subprocess.Popen([arena.gotunnel, "server", "reload", "-certs", arena.certs], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            try:
                arena.status()
            except subprocess.SubprocessError:
                wrong.append("`server status` is not answered meanwhile")
            time.sleep(max(0, end - time.monotonic()))
        reload.wait(PATIENCE)
    if neighbour.worst > LATE:
        wrong.append(f"visitors waited for the lock: {neighbour.worst:.1f} s, and may {LATE} s")
    if neighbour.failures:
        wrong.append(f"{len(neighbour.failures)} visitors failed: {neighbour.failures[0]}")
    return (f"the lock of the certificates held for {seconds} s, while the server checks them and is told to reload",
            f"visitors' worst answer {neighbour.worst * 1000:.0f} ms", wrong)


ATTACKS = [Attack("planted-links", planted_links), Attack("held-lock", held_lock)]
