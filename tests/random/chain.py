"""The programs under test: the daemon and its mirrors, which are started,
killed and started again. One that ends by itself has failed."""
import contextlib
import os
import signal
import subprocess
import time


class Ended(Exception):
    """A program did what it should not."""


class Program:
    """One that runs until it is told to end."""

    def __init__(self, name, command, log):
        self.name, self.command, self.log = name, command, log
        self.process = None
        self.kills = self.terms = 0

    def start(self):
        with open(self.log, "ab") as log:
            log.write(f"--- {' '.join(self.command)}\n".encode())
            log.flush()
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def tail(self):
        with open(self.log, "rb") as log:
            return log.read()[-3000:].decode(errors="replace")

    def running(self):
        return self.process is not None

    def watch(self):
        """Raises where it has ended by itself."""
        if self.process and self.process.poll() is not None:
            status, self.process = self.process.returncode, None
            raise Ended(f"{self.name} ended by itself with status {status}:\n{self.tail()}")

    def kill(self):
        """As a crash would."""
        self.process.kill()
        self.process.wait()
        self.process = None
        self.kills += 1

    def stop(self, seconds=30):
        """As one asks a program to end; it has to do so, and well."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Ended(f"{self.name} did not end within {seconds} s of SIGTERM:\n{self.tail()}") from None
        self.process = None
        self.terms += 1
        # One that was told so before it had begun to listen dies of it, without a word.
        if status and not (status == -signal.SIGTERM and "deltamirror: " not in self.tail()):
            raise Ended(f"{self.name} ended with status {status} after SIGTERM:\n{self.tail()}")


class Daemon(Program):
    def __init__(self, store, mount, log):
        super().__init__("daystreamfs", ["daystreamfs", store, mount, "-f"], log)
        self.mount = mount

    def start(self):
        super().start()
        end = time.monotonic() + 60
        while not os.path.exists(self.mount + "/live"):
            self.watch()
            if time.monotonic() > end:
                raise Ended(f"daystreamfs did not mount within 60 s:\n{self.tail()}")
            time.sleep(0.02)


class Mirror(Program):
    """A SQLite copy. `options` stand before the database in its command line; `only` are the path names of the
    tables that it holds, none for all."""

    def __init__(self, name, folder, options, only=()):
        self.db, self.options, self.only = f"{folder}/{name}.sqlite", list(options), list(only)
        super().__init__(name, ["deltamirror", *self.options, self.db], f"{folder}/{name}.log")

    def watch(self):
        """What is changed again and again while it is copied cannot be had: where copies take long (a sanitizer's
        do), it gives up for once, and says so."""
        try:
            super().watch()
        except Ended:
            error = self.tail().rstrip().rpartition("\n")[2]
            if not error.startswith("deltamirror: error: table ") or not error.endswith(" while it was copied"):
                raise

    def forget(self):
        """The host gives its copy up."""
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.db + end)


class Snapshot(Program):
    """`daystream snapshot`, which ends by itself."""

    def __init__(self, store, log):
        super().__init__("daystream snapshot", ["daystream", "snapshot", store], log)

    def ended(self):
        """None while it is at work, then whether it went well. What it cannot do, it has to say."""
        status = self.process.poll()
        if status is None:
            return None
        self.process = None
        if status not in (0, 1) or status == 1 and "error: " not in self.tail():
            raise Ended(f"{self.name} ended with status {status}:\n{self.tail()}")
        return status == 0
