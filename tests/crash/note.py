#!/usr/bin/python3
"""What a test itself says, put into a trace (trace.h).

note.py TRACE TEXT              one note
note.py TRACE --follow FILE     "seen <epoch>.<seq>" for each last line that FILE, a growing file of a mount,
                                shows; until SIGTERM, whatever happens to the mount
"""
import contextlib
import fcntl
import os
import signal
import struct
import sys
import time

TRACE_NOTE = 13


def note(trace, text):
    data = text.encode()
    fcntl.lockf(trace, fcntl.LOCK_EX)
    os.write(trace, struct.pack("=IIIIQQQ", TRACE_NOTE, 0, 0, os.getpid(), 0, 0, len(data)) + data)
    fcntl.lockf(trace, fcntl.LOCK_UN)


def last_line(file):
    """The position of the last line that is shown; None where there is none."""
    size = os.fstat(file).st_size
    want = 4096
    while size > 0:
        tail = os.pread(file, min(want, size), max(0, size - want)) # not past `size`: it has grown since, and may be cut
        before = tail.rfind(b"\n", 0, len(tail) - 1)
        if before >= 0 or want >= size:
            cells = tail[before + 1:].split(b"\t")
            return f"{int(cells[1])}.{int(cells[3])}"
        want *= 4
    return None


def follow(trace, path):
    file, seen = None, None
    while True:
        try:
            if file is None:
                file = os.open(path, os.O_RDONLY)
            now = last_line(file)
        except OSError: # the daemon is away
            if file is not None:
                with contextlib.suppress(OSError):
                    os.close(file)
            file, now = None, None
        if now and now != seen:
            note(trace, f"seen {now}")
            seen = now
        time.sleep(0.0005)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    out = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    if sys.argv[2] == "--follow":
        follow(out, sys.argv[3])
    note(out, sys.argv[2])
