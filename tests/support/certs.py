"""Certificates for tests, made by the openssl binary as an operator would make them: an authority, and leaves it signs."""

import subprocess
from dataclasses import dataclass

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Leaf:
    """A certificate with its key, as files."""

    certificate: object
    key: object

    def pems(self):
        """(key, certificate) as gRPC's clients want them."""
        return self.key.read_bytes(), self.certificate.read_bytes()


class Authority:
    """Signs what a test needs, in a folder of its own."""

    def __init__(self, folder, name="house-ca"):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.certificate, self._key = folder / f"{name}.crt", folder / f"{name}.key"
        openssl(
            *("req", "-x509", *CURVE, "-days", "30", "-subj", f"/CN={name}", "-keyout", self._key),
            *("-out", self.certificate, "-addext", "basicConstraints=critical,CA:TRUE"),
        )

    @property
    def pem(self):
        return self.certificate.read_bytes()

    def leaf(self, name, *, common="", sans=("DNS:localhost", "IP:127.0.0.1"), days=20, into=None):
        """A leaf called `name` in the folder; sans as openssl writes them, days may be negative for one that has expired."""
        folder = into or self._folder
        certificate, key, asked = folder / f"{name}.crt", folder / f"{name}.key", folder / f"{name}.csr"
        openssl("req", *CURVE, "-subj", f"/CN={common or name}", "-keyout", key, "-out", asked)
        extensions = folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(sans)}\n" if sans else "basicConstraints=CA:FALSE\n")
        signed = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-days", str(days))
        openssl("x509", "-req", "-in", asked, *signed, "-extfile", extensions, "-out", certificate)
        key.chmod(0o600)
        return Leaf(certificate, key)


def put(leaf, certificate, key):
    """A leaf's files in the place of others, each replaced at once, as a rotation does it: the key first."""
    for source, target, mode in ((leaf.key, key, 0o600), (leaf.certificate, certificate, 0o644)):
        fresh = target.with_suffix(target.suffix + ".new")
        fresh.write_bytes(source.read_bytes())
        fresh.chmod(mode)
        fresh.replace(target)


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
