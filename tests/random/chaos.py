"""What happens to the programs meanwhile: mirrors join, leave and are killed,
the daemon is, the walsender loses its connection, a backend crashes."""
import collections
import os
import random
import signal
import time

import pq
from chain import Mirror

MIRRORS = 4


class Chaos:
    """One event after another until time is over."""

    def __init__(self, arguments, daemon, mirrors):
        self.arguments, self.daemon, self.mirrors = arguments, daemon, mirrors
        self.random = random.Random(f"{arguments.seed} chaos")
        self.count = collections.Counter()
        self.joined = 0
        self.events = [(self.kill_mirror, 8), (self.stop_mirror, 4), (self.join, 4), (self.leave, 2), (self.kill_daemon, 2),
                       (self.stop_daemon, 1), (self.cut, 2), (self.crash, 0.3)]

    def run(self, clients):
        """Returns when time is over, or a client gave up."""
        end = time.monotonic() + self.arguments.seconds
        for mirror in self.mirrors:
            mirror.start()
        while time.monotonic() < end and not any(client.problem for client in clients):
            time.sleep(self.random.uniform(0.1, 1.5))
            for program in [self.daemon, *self.mirrors]:
                program.watch()
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

    def join(self):
        if len(self.mirrors) >= MIRRORS + 2:
            return False
        self.joined += 1
        self.mirrors.append(Mirror(f"late{self.arguments.seed}-{self.joined}", self.arguments.folder, [self.arguments.mount]))
        self.mirrors[-1].start()
        return True

    def leave(self):
        """For good; the first ones stay to the end."""
        if len(self.mirrors) <= MIRRORS:
            return False
        mirror = self.mirrors.pop(self.random.randrange(MIRRORS, len(self.mirrors)))
        if mirror.running():
            mirror.kill()
        mirror.forget()
        return True

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
