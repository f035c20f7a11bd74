"""Keys, certificates and secrets for one run; everybody gets the same P-256 certificate."""

import functools
import pathlib
import secrets
import subprocess


class Keys:
    def __init__(self, place):
        self.place = pathlib.Path(place)
        self.place.mkdir()
        self.certificate = self.place / "cert.pem"
        self.key = self.place / "key.pem"
        self.password = secrets.token_hex(12)
        self.secret = self.place / "secret"
        self.secret.touch(0o600)
        self.secret.write_text(secrets.token_hex(24) + "\n")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                      "-keyout", self.key, "-out", self.certificate)

    @functools.cached_property
    def bundle(self):
        """Certificate and key in one file, as haproxy wants them."""
        made = self.place / "bundle.pem"
        made.write_text(self.certificate.read_text() + self.key.read_text())
        return made

    @functools.cached_property
    def pkcs12(self):
        """As rathole wants them."""
        made = self.place / "identity.p12"
        self._openssl("pkcs12", "-export", "-inkey", self.key, "-in", self.certificate, "-out", made,
                      "-passout", f"pass:{self.password}")
        return made

    @functools.cached_property
    def ssh(self):
        """A directory with `host`, `user` and `authorized`."""
        place = self.place / "ssh"
        place.mkdir()
        for name in ("host", "user"):
            _quietly("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / name)
        (place / "authorized").write_text((place / "user.pub").read_text())
        return place

    @functools.cached_property
    def noise(self):
        """(private, public) as `rathole --genkey` prints them."""
        words = _quietly("rathole", "--genkey").split()
        return words[words.index("Key:") + 1], words[-1]

    def _openssl(self, *words):
        _quietly("openssl", *words)


def _quietly(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
