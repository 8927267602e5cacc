"""What happens to the programs meanwhile: mirrors join, leave and are killed,
the daemon is, the walsender loses its connection, a backend crashes, commits
wait for a standby that is not there; and snapshots are taken all the time,
each of which gets a mirror that starts with it."""
import collections
import os
import random
import signal
import time

import pq
from chain import Mirror, Snapshot

LATE = 3 # mirrors that come and go


class Chaos:
    """One event after another until time is over."""

    def __init__(self, arguments, daemon, mirrors):
        self.arguments, self.daemon, self.mirrors = arguments, daemon, mirrors
        self.random = random.Random(f"{arguments.seed} chaos")
        self.count = collections.Counter()
        self.snapshot = Snapshot(arguments.store, f"{arguments.folder}/snapshot.log")
        self.events = [(self.kill_mirror, 8), (self.stop_mirror, 4), (self.join, 4), (self.leave, 2), (self.kill_daemon, 2),
                       (self.stop_daemon, 1), (self.cut, 2), (self.crash, 0.3), (self.take_snapshot, 8), (self.kill_snapshot, 1),
                       (self.wait_for_standby, 1)]

    def run(self, clients):
        """Returns when time is over, or a client gave up."""
        end = time.monotonic() + self.arguments.seconds
        for mirror in self.mirrors:
            mirror.start()
        try:
            self._events_until(end, clients)
        finally:
            if self.snapshot.running():
                self.snapshot.kill()
            self._standby("")

    def _events_until(self, end, clients):
        while time.monotonic() < end and not any(client.problem for client in clients):
            time.sleep(self.random.uniform(0.1, 1.5))
            for program in [self.daemon, *self.mirrors]:
                program.watch()
            self._watch_snapshot()
            kinds, weights = zip(*self.events)
            event = self.random.choices(kinds, weights)[0]
            if event():
                self.count[event.__name__] += 1
            self._wake()

    def _wake(self):
        """Whoever is away comes back, sooner or later."""
        for mirror in self.mirrors:
            if not mirror.running() and self.random.random() < 0.6:
                mirror.start()

    def _one(self):
        running = [mirror for mirror in self.mirrors if mirror.running()]
        return self.random.choice(running) if running else None

    def kill_mirror(self):
        mirror = self._one()
        if mirror:
            mirror.kill()
        return mirror

    def stop_mirror(self):
        mirror = self._one()
        if mirror:
            mirror.stop()
        return mirror

    def _add(self, kind):
        name = f"{kind}{self.arguments.seed}-{sum(self.count.values())}"
        self.mirrors.append(Mirror(name, self.arguments.folder, [self.arguments.mount]))
        self.mirrors[-1].start()

    def _late(self):
        return [mirror for mirror in self.mirrors if mirror.name.startswith("late")]

    def join(self):
        if len(self._late()) >= LATE:
            return False
        self._add("late")
        return True

    def leave(self):
        """For good."""
        if not self._late():
            return False
        mirror = self.random.choice(self._late())
        self.mirrors.remove(mirror)
        if mirror.running():
            mirror.kill()
        mirror.forget()
        return True

    def take_snapshot(self):
        if self.snapshot.running():
            return False
        self.snapshot.start()
        return True

    def kill_snapshot(self):
        if not self.snapshot.running():
            return False
        self.snapshot.kill()
        return True

    def _watch_snapshot(self):
        """A whole one gets its follower."""
        good = self.snapshot.ended() if self.snapshot.running() else None
        if good is not None:
            self.count["snapshots taken" if good else "snapshots refused"] += 1
        if good:
            self._add("snapshot")

    def wait_for_standby(self):
        """Commits are in the stream long before anybody sees them."""
        self._standby("nobody")
        time.sleep(self.random.uniform(0.3, 1.5))
        self._standby("")
        return True

    def _standby(self, names):
        for _ in range(100): # whatever the server goes through, in the end nobody waits
            try:
                with pq.Session("chaos") as session:
                    session.run(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
                    session.run("SELECT pg_reload_conf()")
                    return
            except pq.Failed:
                time.sleep(0.2)

    def kill_daemon(self):
        self.daemon.kill()
        time.sleep(self.random.random())
        self.daemon.start()
        return True

    def stop_daemon(self):
        self.daemon.stop()
        time.sleep(self.random.random())
        self.daemon.start()
        return True

    def cut(self):
        """The daemon's connection ends."""
        try:
            with pq.Session("chaos") as session:
                return session.rows("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
        except pq.Failed:
            return False

    def crash(self):
        """A backend of the server dies, and takes the whole server with it; it recovers."""
        try:
            session = pq.Session("chaos")
            os.kill(int(session.value("SELECT pg_backend_pid()")), signal.SIGKILL)
            session.close()
            return True
        except pq.Failed:
            return False
