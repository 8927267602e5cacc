#!/usr/bin/python3
"""What changes a file system, tried on a mount, and names that are none.

readonly.py writes [--any] [--as USER] MOUNT FILE   every changing call gets EROFS or EACCES (--any: any error)
readonly.py names MOUNT                             every odd name is ENOENT (or too long), none is an accident
"""
import ctypes
import errno
import mmap
import os
import pwd
import random
import socket
import sys

problems = []
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    """One of libc's that Python does not have."""
    if getattr(libc, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def refused(what, work, wanted):
    try:
        work()
        problems.append(what + " works")
    except OSError as error:
        if wanted and error.errno not in wanted:
            problems.append("%s: %s" % (what, error.strerror))


def through(path, flags, work):
    file = os.open(path, flags)
    try:
        work(file)
    finally:
        os.close(file)


def bind(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)


def writes(mount, file, wanted):
    """`file` is one that is there."""
    folder, new = os.path.dirname(file), os.path.dirname(file) + "/new"
    plain = os.open("/etc/passwd", os.O_RDONLY)
    opens = {"O_WRONLY": os.O_WRONLY, "O_RDWR": os.O_RDWR, "O_TRUNC": os.O_RDONLY | os.O_TRUNC,
             "O_APPEND": os.O_WRONLY | os.O_APPEND, "O_WRONLY|O_TRUNC": os.O_WRONLY | os.O_TRUNC,
             "O_WRONLY|O_CREAT": os.O_WRONLY | os.O_CREAT, "O_RDWR|O_DIRECT": os.O_RDWR | os.O_DIRECT}
    for name, flags in opens.items():
        refused("open " + name, lambda f=flags: os.close(os.open(file, f)), wanted)
    calls = {
        "open O_CREAT of a new one": lambda: os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)),
        "open O_TMPFILE": lambda: os.close(os.open(folder, os.O_RDWR | os.O_TMPFILE)),
        "unlink": lambda: os.unlink(file),
        "rename": lambda: os.rename(file, new),
        "rename of a folder": lambda: os.rename(folder, folder + ".new"),
        "mkdir": lambda: os.mkdir(new),
        "rmdir": lambda: os.rmdir(folder),
        "symlink": lambda: os.symlink("live", new),
        "link": lambda: os.link(file, new),
        "mkfifo": lambda: os.mkfifo(new),
        "mknod": lambda: os.mknod(new),
        "chmod": lambda: os.chmod(file, 0o777),
        "chown": lambda: os.chown(file, os.getuid(), os.getgid()),
        "lchown": lambda: os.lchown(file, os.getuid(), os.getgid()),
        "utime": lambda: os.utime(file, (1, 1)),
        "truncate": lambda: os.truncate(file, 0),
        "setxattr": lambda: os.setxattr(file, "user.a", b"1"),
        "removexattr": lambda: os.removexattr(file, "user.a"),
        "bind of a socket": lambda: bind(new),
    }
    if wanted: # sftp cannot ask
        calls["access W_OK"] = lambda: call("access", file.encode(), os.W_OK)
    if os.path.ismount(folder): # for which EBUSY stands
        del calls["rmdir"], calls["rename of a folder"]
    # What takes a descriptor that can be written to: there is none.
    for name, work in {
            "write": lambda f: os.write(f, b"x"), "ftruncate": lambda f: os.ftruncate(f, 0),
            "fallocate": lambda f: os.posix_fallocate(f, 0, 10),
            "copy_file_range": lambda f: os.copy_file_range(plain, f, 10),
            "splice": lambda f: os.sendfile(f, plain, 0, 10),
            "mmap PROT_WRITE": lambda f: mmap.mmap(f, 1, mmap.MAP_SHARED, mmap.PROT_WRITE)}.items():
        calls[name + " by O_RDWR"] = lambda w=work: through(file, os.O_RDWR, w)
        refused(name + " by O_RDONLY", lambda w=work: through(file, os.O_RDONLY, w),
                wanted and wanted | {errno.EBADF, errno.EINVAL, errno.ENODEV, errno.EPERM})
    # ... nor one for metadata.
    calls["fchmod"] = lambda: through(file, os.O_RDONLY, lambda f: os.fchmod(f, 0o777))
    calls["futimens"] = lambda: through(file, os.O_RDONLY, lambda f: os.utime(f, (1, 1)))
    for name, work in calls.items():
        # Of files without a name the kernel has not asked us.
        refused(name, work, wanted | {errno.EOPNOTSUPP} if wanted and "TMPFILE" in name else wanted)
    os.close(plain)


def names(mount):
    line = open(mount + "/live", "rb").readline().split(b"\t")
    c, s = line[1], line[3]
    root = mount.encode()
    odd = [b"." * 3, b"\xff\xfe", b"\xc3", b"a\nb", b" ", b"live ", b"LIVE", b"live\x01", b"-", b"%", b"%00", b"%2F", b"%zz",
           b"*", b"$(id)", b"'", b'"', b"\\", b"x" * 255, b"9" * 255, b"\xf0\x9f\xa6\x8a" * 63, b"0x10", b"1e3", b"+1", b"-1",
           b"00", b"01", b"1.5", b"18446744073709551616", b"99999999999999999999999", b"1 ", b"\xd9\xa1",
           b"2026-02-30", b"2026-13-01", b"2026-1-1", b"0000-00-00", b"9999-12-31", b"-001-01-01", b"ALL", b"all "]
    rand = random.Random(7)
    odd += [bytes(rand.choice(range(1, 256)) for _ in range(rand.randrange(1, 200))).replace(b"/", b"|") for _ in range(300)]
    folders = [b"", b"/tables", b"/schema", b"/by-time", b"/days", b"/by-time/" + c, b"/since", b"/since/" + c, b"/since/" + c + b"/" + s,
               b"/since/" + c + b"/" + s + b"/tables", b"/snapshots", b"/snapshots/latest", b"/snapshots/latest/tables",
               b"/since/18446744073709551615", b"/since/18446744073709551615/18446744073709551615/tables"]
    paths = [folder + b"/" + name for folder in folders for name in odd if name not in (b".", b"..")]
    paths += [b"/by-time/0" + c, b"/by-time/" + c + b"/0" + s, b"/by-time/" + c + b"/18446744073709551615", b"/since/-1/0/live",
              b"/by-time/" + c + b"/-1", b"/snapshots/" + c + b"." + s + b".1", b"/snapshots/" + c, b"/snapshots/0.0/tables/x",
              b"/snapshots/18446744073709551615.18446744073709551615", b"/live/x", b"/tables/../nothing", b"/status/..",
              b"/by-time/" + c + b"//x", b"/by-time/1/all", b"/by-time/" + c + b"/all/x", b"/tables/" + b"x" * 1000, b"/tables/" + b"x" * 3000]
    allowed = {errno.ENOENT, errno.ENAMETOOLONG, errno.ENOTDIR}
    for path in paths:
        for what in (os.stat, lambda p: os.close(os.open(p, os.O_RDONLY)), os.listdir):
            try:
                what(root + path)
                problems.append("%r is there" % path)
            except OSError as error:
                if error.errno not in allowed:
                    problems.append("%r: %s" % (path, error.strerror))
    # The folders' own names lead where they should, also from the far end of what a position can be.
    far = root + b"/since/18446744073709551615/18446744073709551615"
    for path, same in ((root + b"/tables/../live", root + b"/live"), (root + b"/./since/../tables/.", root + b"/tables"),
                       (root + b"//live", root + b"/live"), (far + b"/../../../live", root + b"/live")):
        if os.stat(path).st_ino != os.stat(same).st_ino:
            problems.append("%r is not %r" % (path, same))
    if open(far + b"/live", "rb").read() != b"":
        problems.append("something stands behind the last position there can be")


if __name__ == "__main__":
    args = sys.argv[1:]
    wished = {errno.EROFS, errno.EACCES}
    if args[1] == "--any":
        wished = None
        del args[1]
    if args[1] == "--as":
        user = pwd.getpwnam(args[2])
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        del args[1:3]
    if args[0] == "writes":
        writes(args[1], args[2], wished)
    else:
        names(args[1])
    print("\n".join(problems[:20]))
    sys.exit(bool(problems))
