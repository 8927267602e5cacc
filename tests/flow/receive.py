#!/usr/bin/python3
"""A client of a replication slot that chooses when it reads and what it says, for 06-plugin-stride.sh.

receive.py follow SLOT END FILE   all up to END, through cancelled and cut off streams, of which it prints a line each; $PAUSE seconds between
                                  commits
receive.py leave SLOT             says that it is done together with its request; prints what comes behind the server's answer
receive.py stop SLOT MARK         reads nothing until the file MARK is there, then says that it is done; prints as above
"""
import os
import re
import socket
import struct
import sys
import time

COMMIT = re.compile(rb"_action\tcommit\tlsn\t([0-9A-F]+)/([0-9A-F]+)\t[^\n]*$")


def number(lsn):
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Session:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(f"{os.environ['PGHOST']}/.s.PGSQL.{os.environ['PGPORT']}")
        self.bytes = b""
        startup = "".join(f"{name}\0{value}\0" for name, value in (
            ("user", os.environ["PGUSER"]), ("database", os.environ["PGDATABASE"]),
            ("replication", "database"), ("application_name", "receive"))).encode() + b"\0"
        self.socket.sendall(struct.pack("!ii", len(startup) + 8, 3 << 16) + startup)
        self.until(b"Z")

    def send(self, *messages):
        self.socket.sendall(b"".join(kind + struct.pack("!i", len(body) + 4) + body for kind, body in messages))

    def message(self):
        while len(self.bytes) < 5 or len(self.bytes) < 1 + struct.unpack("!i", self.bytes[1:5])[0]:
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionError("ended")
            self.bytes += more
        end = 1 + struct.unpack("!i", self.bytes[1:5])[0]
        kind, body, self.bytes = self.bytes[:1], self.bytes[5:end], self.bytes[end:]
        return kind, body

    def until(self, wanted):
        while self.message()[0] != wanted:
            pass

    def reply(self, lsn):
        self.send((b"d", b"r" + struct.pack("!QQQqb", lsn, lsn, lsn, 0, 0)))


def start(slot, lsn=0, options=""):
    return b"Q", f"START_REPLICATION SLOT {slot} LOGICAL {lsn >> 32:X}/{lsn & 0xFFFFFFFF:X} {options}\0".encode()


DONE = (b"c", b"")


def print_rest(session):
    """How many transactions begin behind the end that the server confirmed."""
    session.until(b"c")
    begun = 0
    while (message := session.message())[0] != b"Z":
        begun += message[1].count(b"_action\tbegin\t")
    print(begun)


def stream(session, slot, state, file):
    """True: all is there."""
    state["streams"] += 1
    print("a stream", flush=True)
    session.send(start(slot, state["lsn"], "" if state["streams"] % 2 else "(\"batch-bytes\" '0')"))
    transaction, replied = [], time.monotonic()
    while True:
        kind, body = session.message()
        if kind == b"Z":
            return False
        if kind != b"d":
            continue
        if body[:1] == b"w":
            transaction.append(body[25:] + b"\n")
            if commit := COMMIT.search(body):
                file.writelines(transaction)
                file.flush()
                transaction = []
                state["lsn"] = int(commit[1], 16) << 32 | int(commit[2], 16)
                time.sleep(state["pause"])
            reached = state["lsn"]
        else:
            reached = struct.unpack("!Q", body[1:9])[0]
        if body[:1] == b"k" and body[17] or time.monotonic() - replied > 0.5:
            replied = time.monotonic()
            session.reply(state["lsn"])
        if reached >= state["end"] and not transaction:
            session.send(DONE)
            session.until(b"Z")
            return True


def follow(slot, end, path):
    state = {"lsn": 0, "end": number(end), "streams": 0, "pause": float(os.environ.get("PAUSE", "0"))}
    session = None
    with open(path, "wb") as file:
        while True:
            try:
                session = session or Session()
                if stream(session, slot, state, file):
                    break
            except ConnectionError:
                session = None
                time.sleep(0.02)


def leave(slot):
    session = Session()
    session.send(start(slot), DONE)
    print_rest(session)


def stop(slot, mark):
    session = Session()
    session.send(start(slot))
    session.until(b"W")
    while not os.path.exists(mark):
        time.sleep(0.01)
    session.send(DONE)
    time.sleep(0.1)
    print_rest(session)


{"follow": follow, "leave": leave, "stop": stop}[sys.argv[1]](*sys.argv[2:])
