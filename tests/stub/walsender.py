#!/usr/bin/python3
"""A server between daystreamfs and a real one, which sends nonsense when it is told to.

walsender.py FOLDER SOCKET     listens at FOLDER/.s.PGSQL.5432; SOCKET is the real server's

Connections pass through to the real server. FOLDER/act, where it is there, names what the next
replication connection gets in place of (or cut out of) the true stream; it is removed, and
FOLDER/done written, when that was sent. Ends with its standard input.
"""
import os
import random
import socket
import struct
import sys
import threading
import time

folder, real = sys.argv[1:]


# ---- messages

def message(kind, body, length=None):
    return kind + struct.pack("!I", len(body) + 4 if length is None else length) + body


def data(text, kind=b"w"):
    """A line of the plugin's, as XLogData."""
    text = text if isinstance(text, bytes) else text.encode()
    return message(b"d", kind + struct.pack("!QQQ", 0, 0, 0) + text)


def keepalive(reply):
    return message(b"d", b"k" + struct.pack("!QQB", 1, 0, reply))


def error(code, text, kind=b"E"):
    return message(kind, b"SERROR\0C" + code + b"\0M" + text + b"\0\0")


def row(*values):
    """A result of one row, and the end of the query."""
    described = b"".join(b"c\0" + struct.pack("!IHIHIH", 0, 0, 25, 65535, 0xFFFFFFFF, 0) for _ in values)
    cells = b"".join(struct.pack("!I", len(v)) + v if v is not None else b"\xff" * 4 for v in values)
    return (message(b"T", struct.pack("!H", len(values)) + described) +
            message(b"D", struct.pack("!H", len(values)) + cells) + message(b"C", b"SELECT 1\0") + message(b"Z", b"I"))


BEGIN = "_xid\t7\t_action\tbegin\ttime\t2017-10-09 00:00:00+00"
ROW = "_table\tnonsense\t_xid\t7\t_action\tinsert\ta\t"
COMMIT = "_xid\t7\t_action\tcommit\tlsn\tFFFF/0\ttime\t2017-10-09 00:00:00+00"


def lines(*given):
    return data(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in given))


def noise(seed, size):
    return random.Random(seed).randbytes(size)


# After the true answer to START_REPLICATION. The connection is closed after it...
CUT = {
    "close": b"",
    "cut-header": b"d\0\0",
    "cut-body": data(BEGIN)[:40],
    "cut-after-row": data(BEGIN) + data(ROW + "1"),
    "length-0": message(b"d", b"", 0),
    "length-3": message(b"d", b"", 3),
    "length-negative": message(b"d", b"w", 0xFFFFFFFF),
    "length-2GB": message(b"d", b"w" * 1000, 0x7FFFFFFF),
    "kind-unknown": message(b"\x01", b"x" * 100),
    "noise": noise(1, 5000),
    "copy-done": message(b"c", b""),
    "ready": message(b"Z", b"I"),
    "results": row(b"a", None),
    "no-fields": message(b"E", b"\0"),
    "error-unended": message(b"E", b"SERROR\0M" + b"x" * 1000),
    "error-1MB": error(b"57000", b"\xff\n\t\x1b" * 250000),
    "error-internal": error(b"XX000", b"tried in vain"),
    "notices": error(b"01000", b"look \xff\x1b[2J here", b"N") * 3000,
    "keepalives": keepalive(0) * 20000,
}
# ... or held until the other side has had enough.
HELD = {
    "silence": b"",
    "half-a-message": data(ROW + "x" * 1000)[:500],
    "length-2GB-held": message(b"d", b"w" * 100000, 0x7FFFFFFF),
    "row-description-held": message(b"T", struct.pack("!H", 0)),
    "copy-done-held": message(b"c", b""),
    "keepalives-asking": keepalive(1) * 20000,
    "kind-x": data(BEGIN, b"x"),
    "empty": message(b"d", b""),
    "short-data": message(b"d", b"w" + b"\0" * 10),
    "short-keepalive": message(b"d", b"k" + b"\0" * 8),
    "no-grammar": lines("nonsense"),
    "no-begin": lines(ROW + "1", COMMIT),
    "begin-in-begin": lines(BEGIN, ROW + "1", BEGIN),
    "time-nonsense": lines("_xid\t7\t_action\tbegin\ttime\tyesterday"),
    "lsn-back": lines(BEGIN, ROW + "1", COMMIT.replace("FFFF/0", "0/1")),
    "name-alone": lines(BEGIN, ROW + "1\tb", COMMIT),
    "escape-unknown": lines(BEGIN, ROW + "\\q", COMMIT),
    "nul": lines(BEGIN, ROW + "a\0b", COMMIT),
    "not-utf8": lines(BEGIN, (ROW + "1").encode() + b"\xe9", COMMIT),
    "no-table": lines(BEGIN, "_xid\t7\t_action\tinsert\ta\tnonsense", COMMIT),
    "origin": lines(BEGIN, "_xid\t7\t_action\torigin\tsystem\t1\ttimeline\t1\tdatabase\tnonsense\tslot\ts\tgeneration\t9", COMMIT),
    "other-xid": lines(BEGIN, ROW.replace("\t7\t", "\t8\t") + "1", COMMIT),
    "long-line": lines("x" * 50000000),
}
# In place of an answer: what the query has in it, and the answer.
ANSWERS = {
    "identify-nothing": ("IDENTIFY_SYSTEM", message(b"C", b"SELECT 0\0") + message(b"Z", b"I")),
    "identify-narrow": ("IDENTIFY_SYSTEM", row(b"7")),
    "slot-narrow": ("pg_replication_slots", row(b"deltaflood")),
    "start-refused": ("START_REPLICATION", error(b"XX000", b"no") + message(b"Z", b"I")),
    "start-answered": ("START_REPLICATION", row(b"a")),
    "slot-silence": ("pg_replication_slots", b""),
}
# In place of the first answer of all.
FIRST = {
    "first-noise": noise(2, 3000),
    "first-kind": message(b"R", struct.pack("!I", 99)),
    "first-error": error(b"57P03", b"not yet"),
    "first-long": message(b"R", b"\0" * 10, 0x7FFFFFFF),
    "first-silence": b"",
}
STAY = {"slot-silence", "first-silence"}


class Act(list):
    """Its words."""
    met = False  # this connection came to its place


def take_act():
    try:
        with open(f"{folder}/act", encoding="ascii") as file:
            act = Act(file.read().split())
        os.unlink(f"{folder}/act")
        return act
    except FileNotFoundError:
        return Act()


def put_back(act):
    """This connection ended before its turn, as where the slot was still another's: the next one gets it."""
    if act and not act.met:
        with open(f"{folder}/act.back", "w", encoding="ascii") as file:
            file.write(" ".join(act))
        try:
            os.link(f"{folder}/act.back", f"{folder}/act")
        except FileExistsError:
            pass
        os.unlink(f"{folder}/act.back")


def done():
    with open(f"{folder}/done", "w", encoding="ascii"):
        pass


# ---- connections

def receive(sock, size):
    got = b""
    while len(got) < size:
        more = sock.recv(size - len(got))
        if not more:
            raise ConnectionError
        got += more
    return got


def receive_message(sock, typed=True):
    kind = receive(sock, 1) if typed else b""
    length = receive(sock, 4)
    return kind + length + receive(sock, struct.unpack("!I", length)[0] - 4)


def say(client, act, what, stay):
    """Sends what the act wants, and stays until `stay` returns."""
    act.met = True
    try:
        client.sendall(what)
        done()
        if stay:
            stay()
    finally:
        done()


def listen_to_end(client):
    while client.recv(65536):
        pass


def questions(client, server, act, gone):
    """From the daemon to the server, but for a question that gets another answer."""
    speaking = act and act[0] in HELD # the other thread, in the server's place
    try:
        while True:
            asked = receive_message(client)
            if act and act[0] in ANSWERS and ANSWERS[act[0]][0].encode() in asked:
                say(client, act, ANSWERS[act[0]][1], act[0] in STAY and (lambda: listen_to_end(client)))
                break
            try:
                server.sendall(asked)
            except OSError:
                if not speaking:
                    break
    except OSError:
        pass
    gone.set()
    for sock in (client, server):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def stream(client, server, act):
    """The true one, by single bytes or only its first ones."""
    act.met = True
    left = int(act[1])
    while left > 0:
        more = server.recv(min(left, 1 if act[0] == "drip" else 65536))
        if not more:
            return
        client.sendall(more)
        left -= len(more)
        if act[0] == "drip":
            time.sleep(0.0005)
    done()


def answers(client, server, act, gone):
    while True:
        answer = receive_message(server)
        streaming = answer[:1] == b"W" and act
        client.sendall(answer)
        if streaming and act[0] in ("cut", "drip"):
            stream(client, server, act)
            return
        if streaming and (act[0] in CUT or act[0] in HELD):
            server.shutdown(socket.SHUT_RDWR)
            say(client, act, CUT.get(act[0], HELD.get(act[0])), act[0] in HELD and gone.wait)
            return


def serve(client):
    act = Act()
    with client, socket.socket(socket.AF_UNIX) as server:
        try:
            start = receive_message(client, typed=False)
            act = take_act() if b"\0replication\0" in start else []
            if act and act[0] in FIRST:
                say(client, act, FIRST[act[0]], act[0] in STAY and (lambda: listen_to_end(client)))
                return
            server.connect(real)
            server.sendall(start)
            gone = threading.Event()
            threading.Thread(target=questions, args=(client, server, act, gone), daemon=True).start()
            answers(client, server, act, gone)
        except OSError:
            pass
        finally:
            for sock in (client, server):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            put_back(act)


def listen():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/.s.PGSQL.5432")
        listener.listen(20)
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=listen, daemon=True).start()
sys.stdin.read()
