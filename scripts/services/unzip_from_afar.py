#!/usr/bin/env python3
"""Unpacks one folder of a zip that lies at a URL, and fetches no more of it than that.

    unzip_from_afar.py URL FOLDER/ DESTINATION SHA256

The registry must give parts of files (RFC 9110, section 14). The digest is that of all names and contents, in the order of names.
"""

import hashlib
import io
import os
import sys
import urllib.request
import zipfile

ATTEMPTS_MAX = 3
READ_BYTES = 4 * 1024 * 1024


class Afar(io.RawIOBase):
    """A file at a URL, read by ranges."""

    def __init__(self, url):
        super().__init__()
        self.url = url
        self.place = 0
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=60) as head:
            self.size = int(head.headers["Content-Length"])

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.place

    def seek(self, offset, whence=io.SEEK_SET):
        self.place = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.size}[whence] + offset
        return self.place

    def readinto(self, buffer):
        wanted = min(len(buffer), self.size - self.place)
        if wanted <= 0:
            return 0
        data = self.part(self.place, wanted)
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)

    def part(self, start, length):
        asked = urllib.request.Request(self.url, headers={"Range": f"bytes={start}-{start + length - 1}"})
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                with urllib.request.urlopen(asked, timeout=120) as answer:
                    if answer.status != 206:
                        sys.exit(f"{self.url} gives no parts: status {answer.status}")
                    return answer.read()
            except OSError as error:
                if attempt == ATTEMPTS_MAX:
                    sys.exit(f"{self.url}: {error}")


def open_zip(url):
    if url.startswith("file://"):
        return zipfile.ZipFile(url.removeprefix("file://"))
    return zipfile.ZipFile(io.BufferedReader(Afar(url), READ_BYTES))


def main(url, folder, destination, expected):
    archive = open_zip(url)
    digests = {}
    for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
        if not entry.filename.startswith(folder):
            continue
        path = os.path.normpath(os.path.join(destination, entry.filename.removeprefix(folder)))
        if os.path.commonpath([path, destination]) != destination:
            sys.exit(f"{entry.filename} leads out of the folder")
        if entry.is_dir():
            os.makedirs(path, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        content = archive.read(entry)
        digests[entry.filename] = hashlib.sha256(content).hexdigest()
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o755 if entry.external_attr >> 16 & 0o111 else 0o644)
    found = hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()).hexdigest()
    if found != expected:
        sys.exit(f"{folder} of {url} has the digest {found}, not {expected}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], os.path.abspath(sys.argv[3]), sys.argv[4])
