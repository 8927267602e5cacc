#!/usr/bin/python3
"""Ways to read a file of the mount that shells have no command for.

tools.py wait poll|epoll|edge FILE READY    reads FILE to its end, makes READY, waits until it has grown, and prints what came
tools.py less FILE READY MARK               `less +F FILE` in a terminal, until MARK stands there; READY: it shows the end
tools.py map FILE shared|private            prints what is mapped of it
"""
import errno
import mmap
import os
import pty
import select
import sys
import time

LIMIT_S = 60


def wait(how, path, ready):
    file = os.open(path, os.O_RDONLY)
    while os.read(file, 1 << 16):
        pass
    if how == "poll":
        poller, events = select.poll(), select.POLLIN
    else:
        poller, events = select.epoll(), select.EPOLLIN | (select.EPOLLET if how == "edge" else 0)
    poller.register(file, events)
    scale = 1000 if how == "poll" else 1
    if poller.poll(0.05 * scale):
        print("it is told to have more at its end")
        return 1
    open(ready, "w").close()
    if not poller.poll(LIMIT_S * scale):
        print("nothing came")
        return 1
    os.write(1, os.read(file, 1 << 20))
    return 0


def less(path, ready, mark):
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", LESS="", LESSOPEN="")
        os.execvp("less", ["less", "+F", path])
    shown, deadline = b"", time.time() + LIMIT_S
    try:
        while time.time() < deadline and mark.encode() not in shown:
            if select.select([terminal], [], [], 0.1)[0]:
                shown += os.read(terminal, 1 << 16)
            if b"Waiting for data" in shown and not os.path.exists(ready):
                open(ready, "w").close()
    except OSError as error:
        if error.errno != errno.EIO: # less has ended
            raise
    os.write(terminal, b"\x03q")
    time.sleep(0.1)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    if mark.encode() in shown:
        return 0
    print("%r" % shown[-2000:])
    return 1


def mapped(path, how):
    file = os.open(path, os.O_RDONLY)
    flags = mmap.MAP_SHARED if how == "shared" else mmap.MAP_PRIVATE
    try:
        with mmap.mmap(file, os.fstat(file).st_size, flags, mmap.PROT_READ) as bytes_:
            sys.stdout.buffer.write(bytes_[:])
    except OSError as error:
        print(errno.errorcode[error.errno])
    return 0


if __name__ == "__main__":
    what, args = sys.argv[1], sys.argv[2:]
    sys.exit({"wait": wait, "less": less, "map": mapped}[what](*args))
