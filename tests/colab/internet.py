"""A small internet for one test: the published course at GitHub's own addresses; every other address is passed on to the real one.

The program under test is told by `https_proxy` to ask here, and by a certificate of ours to believe us. Nothing in it is changed.
"""

import contextlib
import io
import os
import socket
import ssl
import subprocess
import threading
import zipfile
from pathlib import Path

from autograder.paths import BRANCH, REPOSITORY

GITHUB, RAW = "github.com", "raw.githubusercontent.com"
ARCHIVE = f"/{REPOSITORY}/archive/refs/heads/{BRANCH}.zip"
DATA = f"/{REPOSITORY}/{BRANCH}/data/"


class Internet:
    """Serves the folder of a release; `asked` lists what was asked of GitHub."""

    def __init__(self, public: Path, work: Path):
        self.public, self.asked = public, []
        self.context, self.certificates = _certificate(work)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def environment(self) -> dict[str, str]:
        """The variables that lead pip and urllib here."""
        names = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
        return {"https_proxy": self.address, "HTTPS_PROXY": self.address} | dict.fromkeys(names, str(self.certificates))

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection:
            head = _read_head(connection)
            host, _, port = head.split()[1].partition(":")
            if host in (GITHUB, RAW):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                with self.context.wrap_socket(connection, server_side=True) as secure:
                    self._answer(secure, host)
            else:
                with socket.create_connection((host, int(port)), timeout=30) as other:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    _pass_on(connection, other)

    def _answer(self, secure, host: str):
        method, path, *_ = _read_head(secure).split()
        self.asked.append(f"{method} https://{host}{path}")
        content = self._content(host, path)
        status = "404 Not Found" if content is None else "200 OK"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content or b'')}\r\nConnection: close\r\n\r\n".encode()
        secure.sendall(head + (b"" if method == "HEAD" else content or b""))

    def _content(self, host: str, path: str) -> bytes | None:
        if host == GITHUB:
            return self._archive() if path == ARCHIVE else b"" if path == "/" or not path else None
        file = self.public / "data" / path.removeprefix(DATA)
        return file.read_bytes() if path.startswith(DATA) and ".." not in path and file.is_file() else None

    def _archive(self) -> bytes:
        """The zip that GitHub makes of a branch: everything in one folder."""
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(path for path in self.public.rglob("*") if path.is_file()):
                archive.write(path, f"{REPOSITORY.split('/')[-1]}-{BRANCH}/{path.relative_to(self.public)}")
        return whole.getvalue()


def _read_head(connection) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(4096)
        if not part:
            raise OSError("closed")
        head += part
    return head.decode("latin-1")


def _pass_on(one, other):
    def copy(source, target):
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join()


def _certificate(work: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate for GitHub's two names, by openssl; and the file of all certificates that the program under test is to believe."""
    key, certificate, believed = work / "key.pem", work / "certificate.pem", work / "believed.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stand-in for GitHub",
         "-addext", f"subjectAltName=DNS:{GITHUB},DNS:{RAW}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    paths = ssl.get_default_verify_paths()
    usual = os.environ.get("SSL_CERT_FILE") or paths.cafile or paths.openssl_cafile
    believed.write_text((Path(usual).read_text() if Path(usual).is_file() else "") + "\n" + certificate.read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, believed
