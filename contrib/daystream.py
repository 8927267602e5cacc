"""The transactions of a daystream mount, from Python: docs/COOKBOOK.md has an example, docs/FORMAT.md the format.

    reader = Reader("/mnt/shop", position)      # None: from the oldest line that is retained
    for transaction in reader.follow():         # or .transactions(): up to the end as it is now
        ...                                     # then keep reader.position, to go on there

A new generation, whose lines do not go on from what is there, is an exception (NewGeneration), as is a position that is
no longer retained (OSError, ESTALE): who keeps rows begins anew, from a snapshot. With the standard library alone.
Memory: one transaction.
"""
import collections
import errno
import re
import sys
import time

Transaction = collections.namedtuple("Transaction", "xid lsn time changes")
# `row` is a dictionary: None is NULL, and a column that is absent was not changed.
Change = collections.namedtuple("Change", "schema table action row")

_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "\\": "\\"}


def _value(text):
    return None if text == r"\N" else re.sub(r"\\(.)", lambda match: _LETTERS[match[1]], text)


def _crc_table():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        yield byte


_CRC = tuple(_crc_table())


def crc32c(data, crc=0):
    """Goes over some MB a second."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


class Damaged(Exception):
    """The bytes are not those that were written."""


class NewGeneration(Exception):
    """`position` is where it begins, for who wants its lines although those between are missing."""

    def __init__(self, mount, position):
        super().__init__(f"{mount}: the stream does not go on from what came before: a new generation begins at {position}")
        self.position = position


class Reader:
    def __init__(self, mount, position=None, check=True):
        """`position` is "<_c>/<_s>/<generation>", directly behind a commit; without a generation, the next that is read
        counts. `check` compares each transaction's sum."""
        self.mount, self.position, self.check = mount, position, check

    def transactions(self):
        at, generation = self._at()
        path = f"{self.mount}/since/{at}/live" if at else f"{self.mount}/live"
        crc, changes = 0, []
        with open(path, "rb", buffering=1 << 20) as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break  # over a network the rest may come later
                head, action, pairs = self._split(line)
                if action == "origin" and "_table" not in head:
                    if generation not in (None, pairs["generation"]):
                        raise NewGeneration(self.mount, f"{head['_c']}/{head['_s']}/{pairs['generation']}")
                    generation = pairs["generation"]
                if action == "commit" and "_table" not in head:
                    end = line.rindex(b"crc\t")
                    if self.check and f"{crc32c(line[:end], crc):08x}" != pairs["crc"]:
                        raise Damaged(f"{path}: the transaction that commits at {head['_c']}.{head['_s']}")
                    self.position = f"{head['_c']}/{int(head['_s']) + 1}" + (f"/{generation}" if generation else "")
                    yield Transaction(int(head["_xid"]), pairs["lsn"], pairs["time"], changes)
                    crc, changes = 0, []
                    continue
                if self.check:
                    crc = crc32c(line, crc)
                if "_table" in head and action != "schema":
                    changes.append(Change(head.get("_schema", "public"), head["_table"], action, pairs))

    def follow(self, pause=0.2):
        """Never ends. A mount that is away is waited for."""
        away = False
        while True:
            try:
                yield from self.transactions()
                if away:
                    print(f"{self.mount} is there again", file=sys.stderr)
                away = False
            except OSError as error:
                if error.errno == errno.ESTALE:
                    raise
                self._raise_where_given_up()
                if not away:
                    print(f"{error}; waiting for it", file=sys.stderr)
                away = True
            time.sleep(pause)

    def _at(self):
        c, s, generation = ((self.position or "").split("/") + [None] * 3)[:3]
        return (f"{c}/{s}" if s else None), generation

    def _raise_where_given_up(self):
        """sshfs has no ESTALE: what /live begins with tells."""
        at = self._at()[0]
        try:
            with open(f"{self.mount}/live", "rb") as file:
                head = self._split(file.readline())[0]
        except (OSError, Damaged):
            return
        oldest = int(head["_c"]), int(head["_s"])
        if at and tuple(map(int, at.split("/"))) < oldest:
            raise OSError(errno.ESTALE, f"{self.mount}: what follows {at} is no longer retained: it begins at {oldest}")

    @staticmethod
    def _split(line):
        fields = line[:-1].decode().split("\t")
        pairs = zip(map(_value, fields[::2]), map(_value, fields[1::2]))
        head = {}
        for name, value in pairs:
            if name == "_action":
                return head, value, dict(pairs)
            head[name] = value
        raise Damaged(f"no line of the stream: {line[:200]}")
