#!/usr/bin/python3
"""Followers of a mount, who judge what they were shown.

followers.py follow MOUNT [TABLE] OUT       writes the stream's lines, or a table's, to OUT, for good; opens the file
                                            anew where it broke off, behind the last line it has
followers.py crowd MOUNT SEGMENTS TRUTH COUNT MARK READY TABLE...
                                            COUNT followers of all kinds until MARK has come, with random readers
                                            and some who stop reading; compares with the segments, which are kept
                                            in TRUTH. READY is made when all are there
followers.py hold MOUNT COUNT READY         COUNT who wait in poll(2), until the mount goes away
followers.py handles MOUNT READY            takes handles, as an NFS server does, makes READY, waits until that is gone,
                                            and opens the files by them
followers.py open MOUNT PID COUNT KB        one who has COUNT files open, several times; the daemon PID may have grown
                                            by KB from the second time to the fourth
"""
import ctypes
import errno
import glob
import hashlib
import mmap
import os
import random
import re
import resource
import select
import signal
import sys
import threading
import time

POLL_S = 20  # no commit of a test is that long in coming
CROWD_S = 150  # nor is all that a crowd has to read


def position_of(line):
    cells = line.split(b"\t", 4)
    return int(cells[1]), int(cells[3])


# ---- one who opens anew


def follow(mount, table, out):
    last, asked = None, 0
    while True:
        path = mount + ("/since/%d/%d" % last if last else "") + ("/tables/" + table if table else "/live")
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            time.sleep(0.05)
            continue
        try:
            last = follow_file(file, out, last)
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.EIO, errno.ESTALE, errno.ECONNABORTED, errno.ENOENT, errno.EPERM):
                raise
            last = error.last
        try:
            os.close(file)
        except OSError:
            pass  # sshfs asks the other end


def follow_file(file, out, last):
    """To the first error, or a second without anything: sshfs tells of a dead file that it is at its end."""
    rest, idle = b"", 0
    while idle < 1:
        try:
            data = os.read(file, 50000)
        except OSError as error:
            error.last = last
            raise
        if not data:
            select.select([], [], [], 0.02)
            idle += 0.02
            continue
        idle = 0
        lines, newline, rest = (rest + data).rpartition(b"\n")
        if newline:
            out.write(lines + newline)
            c, s = position_of(lines[lines.rfind(b"\n") + 1:])
            last = c, s + 1
    return last


# ---- what is right


class Truth:
    """The segments, which stay in a folder of links when they are given up: keep.so (91-followers.sh) makes one then."""

    def __init__(self, segments, folder):
        self.segments, self.folder = segments, folder

    def keep(self):
        for name in glob.glob(self.segments + "/*.day"):
            try:
                os.link(name, self.folder + "/" + os.path.basename(name))
            except (FileExistsError, FileNotFoundError):
                pass

    def names(self):
        self.keep()
        return sorted(glob.glob(self.folder + "/*.day"), key=lambda n: tuple(map(int, os.path.basename(n)[:-4].split("."))))

    def read(self, offset, length):
        out = b""
        for name in self.names():
            size = os.path.getsize(name)
            if offset < size and length:
                with open(name, "rb") as file:
                    file.seek(offset)
                    piece = file.read(length)
                out += piece
                length -= len(piece)
                offset = 0
            else:
                offset -= size
        return out

    def given_up(self):
        """The bytes before the oldest segment that is there."""
        there = {os.path.basename(n) for n in glob.glob(self.segments + "/*.day")}
        before = 0
        for name in self.names():
            if os.path.basename(name) in there:
                break
            before += os.path.getsize(name)
        return before


# ---- the crowd


class Shared:
    """Flags and counters of all processes."""

    def __init__(self):
        self.bytes = mmap.mmap(-1, 4096)

    def hurry(self):
        self.bytes[0] = 1

    def hurried(self):
        return self.bytes[0] == 1

    def end(self):
        self.bytes[1] = 1

    def ended(self):
        return self.bytes[1] == 1


def ends_on_commit(data):
    """Or may: what shows less than a line's end tells nothing."""
    start = data.rfind(b"\n", 0, -1) + 1
    return data.endswith(b"\n") and (start == 0 or b"\t_action\tcommit\t" in data[start:])


def follow_to_mark(path, how, mark, shared, opened):
    """The length and checksum of what is read until `mark` has come."""
    file = os.open(path, os.O_RDONLY)
    opened()
    poller = select.poll()
    poller.register(file, select.POLLIN)
    digest, length, tail, marked = hashlib.sha256(), 0, b"", False
    rand = random.Random(path)
    end = time.monotonic() + CROWD_S
    while True:
        size = 2000 if how == "slow" and not shared.hurried() else rand.choice((777, 4096, 65536, 1 << 20))
        data = os.read(file, size)
        digest.update(data)
        length += len(data)
        tail = (tail + data)[-8192:]
        marked = marked or mark in tail
        if data and len(data) < size and path.endswith("/live") and not ends_on_commit(tail):
            raise ValueError("ends within a transaction: %r" % tail[-100:])
        if data:
            if how == "slow" and not shared.hurried():
                time.sleep(0.005)
        elif marked:
            os.close(file)
            return length, digest.hexdigest()
        elif time.monotonic() > end:
            raise ValueError("has %d bytes of %d, and no more come" % (length, os.fstat(file).st_size))
        elif how == "poll":
            if not poller.poll(POLL_S * 1000):
                raise ValueError("poll(2) did not wake")
        else:
            time.sleep(rand.random() * 0.05)


def copy_mapped(file, page, size, copy):
    """By write(2), which comes back short where a look would be a SIGBUS. How many bytes there were.

    The kernel does not believe a size that was asked for before it learned a smaller one, though it tells it
    (fuse_change_attributes): it has to be asked again."""
    end = time.monotonic() + POLL_S
    with mmap.mmap(file, size - page, mmap.MAP_PRIVATE, mmap.PROT_READ, offset=page) as mapped:
        while True:
            try:
                length = os.pwrite(copy, mapped, 0)
            except OSError as error:
                if error.errno != errno.EFAULT:
                    raise
                length = 0
            if length == size - page or time.monotonic() > end:
                return length
            os.fstat(file)


def read_at_random(mount, truth, seed, shared, opened):
    """pread and mmap at all kinds of places; how often."""
    file, last, count, stale = os.open(mount + "/live", os.O_RDONLY), 0, 0, 0
    copy = os.memfd_create("copy")
    rand = random.Random(seed)
    opened()
    while not shared.ended():
        size = os.fstat(file).st_size
        if size < last:
            raise ValueError("the size went back from %d to %d" % (last, size))
        last = size
        offset = rand.choice((rand.randrange(size + 1), max(0, size - rand.randrange(1, 20000)), size - size % 4096, size,
                              size + rand.randrange(1 << 40)))
        length = rand.choice((0, 1, 100, 4096, 4097, 65536, 1 << 20, 16 << 20))
        try:
            got = os.pread(file, length, offset)
        except OSError as error:
            if error.errno != errno.ESTALE or offset >= truth.given_up():
                raise
            stale += 1
            continue
        if len(got) < min(length, size - offset) or len(got) > length:
            raise ValueError("%d of %d bytes at %d, size %d" % (len(got), min(length, size - offset), offset, size))
        if got and offset + len(got) > os.fstat(file).st_size:
            raise ValueError("%d bytes at %d are behind the last commit" % (len(got), offset))
        if got and len(got) < length and not ends_on_commit(got):
            raise ValueError("%d bytes at %d end within a transaction" % (len(got), offset))
        if got != truth.read(offset, len(got)):
            raise ValueError("%d bytes at %d differ, size %d, zeros %d" % (len(got), offset, size, got.count(0)))
        count += 1
        page = max(0, size - rand.randrange(1, 40000)) // 4096 * 4096
        if size > page:
            length = copy_mapped(file, page, size, copy)
            if length < size - page and page >= truth.given_up():
                raise ValueError("%d bytes are mapped from %d to %d" % (length, page, size))
            if os.pread(copy, length, 0) != truth.read(page, length):
                raise ValueError("what is mapped from %d to %d differs" % (page, size))
    return count, stale


def stop_reading(mount, kind, opened):
    """Never comes back."""
    file = os.open(mount + "/live", os.O_RDONLY)
    os.read(file, 100)
    if kind == 1:
        while os.read(file, 1 << 20):
            pass
        poller = select.poll()
        poller.register(file, select.POLLIN)
        opened()
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGSTOP)).start()
        poller.poll()
    else:
        opened()
    while True:
        os.kill(os.getpid(), signal.SIGSTOP) if kind == 2 else time.sleep(1)


def doing(pid):
    """A process, for people: its state, and what it waits for; Z is one that has died."""
    text = ""
    for name in ("stat", "wchan", "syscall"):
        try:
            with open("/proc/%d/%s" % (pid, name), encoding="ascii") as file:
                text += file.read(100).rstrip("\0\n") + " "
        except OSError as error:
            text += error.strerror + " "
    return text


class Crowd:
    def __init__(self):
        self.report_fd, self.write_fd = os.pipe()
        self.ready_fd, self.opened_fd = os.pipe()
        self.pids = {}

    def add(self, name, work, *args):
        pid = os.fork()
        if pid == 0:
            try:
                result = work(*args, lambda: os.write(self.opened_fd, b"."))
            except BaseException as error:  # also those that end a process
                result = "%s: %s" % (type(error).__name__, error)
            os.write(self.write_fd, b"%s\t%s\n" % (name.encode(), str(result).encode()[:3000]))
            os._exit(0)
        self.pids[pid] = name

    def await_opened(self, count):
        while count > 0:
            count -= len(os.read(self.ready_fd, count))

    def reports(self, kinds):
        """Of those whose names begin so, by name, whatever else is still running; of who has none after a while, what
        he does."""
        missing = {name: pid for pid, name in self.pids.items() if name.startswith(kinds)}
        found, rest, end = {}, b"", time.monotonic() + CROWD_S + 30
        while missing:
            if not select.select([self.report_fd], [], [], max(0, end - time.monotonic()))[0]:
                found.update((name, "no report: " + doing(pid)) for name, pid in missing.items())
                break
            *lines, rest = (rest + os.read(self.report_fd, 65536)).split(b"\n")
            for line in lines:
                name, result = line.decode().split("\t", 1)
                found[name] = result
                missing.pop(name, None)
        return found

    def kill(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        for pid in self.pids:
            os.waitpid(pid, 0)


def right_answers(truth, paths, mark):
    """What may be read of each path: all lines or one table's, at or after its position, up to the end of a
    transaction: that of the mark or a later one. A set of lengths and checksums."""
    reads = {}
    for path in paths:
        since = re.match(r"/since/(\d+)/(\d+)/", path)
        table = re.search(r"/tables/(.*)", path)
        reads[path] = [tuple(map(int, since.groups())) if since else (0, 0), table.group(1).encode() if table else None,
                       0, hashlib.sha256()]
    right, marked = {path: set() for path in paths}, False
    for name in truth.names():
        with open(name, "rb") as file:
            for line in file:
                cells = line.split(b"\t", 6)
                at, table = (int(cells[1]), int(cells[3])), cells[5] if cells[4] == b"_table" else None
                for one in reads.values():
                    if at >= one[0] and (one[1] is None or one[1] == table):
                        one[2] += len(line)
                        one[3].update(line)
                marked = marked or mark in line
                if marked and table is None:
                    for path, one in reads.items():
                        right[path].add(str((one[2], one[3].hexdigest())))
    return right


def crowd(mount, segments, folder, count, mark, ready, tables):
    shared, truth, people = Shared(), Truth(segments, folder), Crowd()
    truth.keep()
    first = position_of(open(mount + "/live", "rb").readline())
    if os.path.basename(truth.names()[0]) != "%d.%d.day" % first:
        raise SystemExit("/live does not begin with the oldest segment")
    lines = [position_of(line) for line in open(mount + "/live", "rb")]
    random.seed(len(lines))
    paths = ["/live"] + ["/tables/" + table for table in tables]
    for c, s in random.sample(lines, 3) + [lines[-1]]:
        paths += ["/since/%d/%d%s" % (c, s, path) for path in paths[:1 + len(tables)]]
    hows = ("poll", "read", "poll", "read", "slow")
    for i in range(count):
        path, how = paths[i % len(paths)], hows[i // 2 % len(hows)]
        people.add("%s %s %d" % (path, how, i), follow_to_mark, mount + path, how, mark.encode(), shared)
    for seed in range(2):
        people.add("random %d" % seed, read_at_random, mount, truth, seed, shared)
    for kind in range(3):
        people.add("stopped %d" % kind, stop_reading, mount, kind)
    people.await_opened(count + 5)
    open(ready, "w").close()

    def keep():
        while not shared.ended():
            truth.keep()
            if mark.encode() in open(truth.names()[-1], "rb").read()[-100000:]:
                shared.hurry()
            time.sleep(0.2)
    keeper = threading.Thread(target=keep, daemon=True)  # else an error here would wait for it
    keeper.start()
    found = people.reports("/")
    shared.end()
    keeper.join()
    found.update(people.reports("random"))
    people.kill()
    right, wrong = right_answers(truth, paths, mark.encode()), []
    for name, result in sorted(found.items()):
        if name.startswith("random"):
            print(name, result)
            if not re.match(r"\(\d\d+, ", result):
                wrong.append(name + ": " + result)
        elif result not in right[name.split(" ")[0]]:
            wrong.append("%s: %s, not %s" % (name, result, right[name.split(" ")[0]]))
    print("%d followers of %d files, %d bytes in the stream" % (count, len(paths), sum(map(os.path.getsize, truth.names()))))
    print("\n".join(wrong[:10]))
    return bool(wrong)


# ---- those who hold


def hold_one(mount, opened):
    file = os.open(mount + "/live", os.O_RDONLY)
    opened()
    poller = select.poll()
    poller.register(file, select.POLLIN)
    while True:
        try:
            while os.read(file, 1 << 20):
                pass
            poller.poll()
        except OSError as error:
            return error.errno


def hold(mount, count, ready):
    people = Crowd()
    for i in range(count):
        people.add(str(i), hold_one, mount)
    people.await_opened(count)
    open(ready, "w").close()
    errors = people.reports("")
    people.kill()
    print({number: list(errors.values()).count(number) for number in set(errors.values())})
    return 0


class Handle(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint), ("type", ctypes.c_int), ("bytes", ctypes.c_ubyte * 128)]


def handles(mount, ready):
    libc, wrong = ctypes.CDLL(None, use_errno=True), []
    c, s = position_of(open(mount + "/live", "rb").readline())
    copy = os.path.realpath(mount + "/snapshots/latest")[len(os.path.realpath(mount)):]
    found = {}
    for path in ("/live", "/status", "/by-time/%d" % c, "/by-time/%d/%d" % (c, s), "/since/%d/%d/live" % (c, s),
                 "/since/%d/0/tables/zzz" % (c + 1), copy, copy + "/overlap", copy + "/tables"):
        handle, kind = Handle(size=128), ctypes.c_int()
        if libc.name_to_handle_at(-100, (mount + path).encode(), ctypes.byref(handle), ctypes.byref(kind), 0) < 0:
            raise OSError(ctypes.get_errno(), path)
        found[path] = handle, os.stat(mount + path).st_ino
    open(ready, "w").close()
    while os.path.exists(ready):
        time.sleep(0.05)
    root = os.open(mount, os.O_RDONLY)
    for path, (handle, number) in found.items():
        file = libc.open_by_handle_at(root, ctypes.byref(handle), os.O_RDONLY)
        if file < 0:
            wrong.append("%s: %s" % (path, os.strerror(ctypes.get_errno())))
        elif os.fstat(file).st_ino != number:
            wrong.append("%s is another file" % path)
    print("\n".join(wrong))
    return bool(wrong)


def rss(pid):
    with open("/proc/%s/status" % pid, encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


def open_many(mount, pid, count, growth):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    lines = [position_of(line) for line in open(mount + "/live", "rb")]
    whole = sorted({c for c, _ in lines} - {lines[0][0]})  # retention may have been at the first one
    tables = os.listdir(mount + "/tables")
    copies = glob.glob(mount + "/snapshots/*/tables/*")
    kinds = (lambda i: "/live", lambda i: "/tables/" + tables[i % len(tables)],
             lambda i: "/since/%d/%d/live" % lines[i % len(lines)],
             lambda i: "/since/%d/%d/tables/%s" % (*lines[i % len(lines)], tables[i % len(tables)]),
             lambda i: "/by-time/%d/%d" % lines[i % len(lines)], lambda i: copies[i % len(copies)][len(mount):],
             lambda i: "/by-time/%d/all" % whole[-1 - i % min(100, len(whole))], lambda i: "/status", lambda i: "/metrics")
    after = []
    for _ in range(4):
        files = [os.open(mount + kinds[i % len(kinds)](i), os.O_RDONLY) for i in range(count)]
        for file in files[::10]:
            os.pread(file, 1, 0)
        most, descriptors = rss(pid), len(os.listdir("/proc/%s/fd" % pid))
        for file in files:
            os.close(file)
        deadline = time.time() + 60  # closing is told to the daemon later
        while len(os.listdir("/proc/%s/fd" % pid)) > 100 and time.time() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        while len(after) == 3 and rss(pid) - after[1] > growth and time.time() < deadline:
            time.sleep(0.05)
        after.append(rss(pid))
        left = len(os.listdir("/proc/%s/fd" % pid))
        print("%d open: %d kB, %d descriptors; closed: %d kB, %d descriptors" % (count, most, descriptors, after[-1], left))
        if descriptors > 100 or left > 100:
            return 1
    return after[3] - after[1] > growth


if __name__ == "__main__":
    what, args = sys.argv[1], sys.argv[2:]
    if what == "follow":
        follow(args[0], args[1] if len(args) == 3 else None, open(args[-1], "wb", buffering=0))
    elif what == "crowd":
        sys.exit(crowd(args[0], args[1], args[2], int(args[3]), args[4], args[5], args[6:]))
    elif what == "hold":
        sys.exit(hold(args[0], int(args[1]), args[2]))
    elif what == "handles":
        sys.exit(handles(*args))
    elif what == "open":
        sys.exit(open_many(args[0], args[1], int(args[2]), int(args[3])))
    else:
        sys.exit(__doc__)
