#!/usr/bin/python3
"""A terminal for a program that paints one.

terminal.py COMMAND...    runs it in a terminal of 24 lines by 80; what happens there comes from standard input, a line each:

    see TEXT      waits until it stands there
    find REGEX    so with what matches
    key K         types it
    size R C      makes the terminal of another size
    signal NAME   to the program
    do COMMAND    runs that beside it
    end           waits for its end

Ends with status 0 where all of it came about, the program ended with status 0 (or by no signal), and the terminal is as it was.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pyte

LIMIT = 60


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main():
    master, slave = pty.openpty()
    resize(master, 24, 80)
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(slave, fd)
        os.close(master)
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        os.environ.update(TERM="xterm", LC_ALL="C.UTF-8")
        os.execvp(sys.argv[1], sys.argv[1:])
    written, pending, status = b"", b"", None
    screen = pyte.Screen(80, 24)
    terminal = pyte.ByteStream(screen)

    def take(seconds):
        nonlocal written, pending
        if not pending and select.select([master], [], [], seconds)[0]:
            pending = os.read(master, 65536)
            written += pending
        # In pieces: what is soon painted over is seen, however late we are.
        terminal.feed(pending[:256])
        pending = pending[256:]

    def until(what, done):
        end = time.monotonic() + LIMIT
        while not done():
            take(0.1)
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                sys.exit("%s did not come; there is:\n%s" % (what, "\n".join(screen.display)))

    def ended():
        nonlocal status
        if status is None:
            got, code = os.waitpid(pid, os.WNOHANG)
            status = code if got else None
        return status is not None

    for line in sys.stdin:
        action, _, rest = line.rstrip("\n").partition(" ")
        if action == "see":
            until(rest, lambda: rest in "\n".join(screen.display))
        elif action == "find":
            until(rest, lambda: re.search(rest, "\n".join(screen.display)))
        elif action == "key":
            os.write(master, rest.encode())
        elif action == "size":
            rows, columns = map(int, rest.split())
            screen.resize(rows, columns)
            resize(master, rows, columns)
        elif action == "signal":
            os.kill(pid, getattr(signal, "SIG" + rest))
        elif action == "do":
            subprocess.run(rest, shell=True, check=True, stdin=subprocess.DEVNULL)
        elif action == "end":
            until("its end", ended)
            while pending or select.select([master], [], [], 0.1)[0]:
                take(0)
    assert ended(), "still there"
    assert status == 0, "status %#x" % status
    assert termios.tcgetattr(slave) == before, "the terminal's settings were not restored"
    assert written.count(b"\x1b[?1049h") == written.count(b"\x1b[?1049l") > 0, "still on the other screen"
    assert written.rfind(b"\x1b[?25h") > written.rfind(b"\x1b[?25l"), "the cursor stays hidden"


main()
