"""Clients: threads that run random transactions, each with its own connection
and its own random numbers. What the server refuses (a key that is taken, a
deadlock, a table that somebody dropped) is rolled back, and is traffic, too."""
import collections
import random
import threading
import time

import ddl
import pq
import values
from catalog import Catalog
from pq import literal, quoted

# Refusals that say that the generator itself is wrong.
OURS = ("42601", "42846", "42883")


def is_ours(failed):
    """ltree's input function has the code of the parser's."""
    return failed.state in OURS and "ltree syntax error" not in str(failed)


SPREAD = { # typname -> an expression that differs from row to row
    "int4": "(random() * 4e9 - 2e9)::int4", "int8": "(random() * 1e18)::int8", "text": "md5(random()::text)",
    "varchar": "left(md5(random()::text), 20)", "uuid": "gen_random_uuid()", "numeric": "random()::numeric(15, 10)",
    "float8": "random()", "bytea": "decode(md5(random()::text), 'hex')",
    "timestamptz": "timestamptz '2020-01-01' + random() * interval '9 years'"}


def settings(r):
    return [f"SET synchronous_commit = {r.choice(('on', 'on', 'off', 'off', 'local', 'remote_apply'))}",
            f"SET default_toast_compression = {r.choice(('pglz', 'lz4'))}",
            "SET lock_timeout = '2s'", "SET statement_timeout = '20s'", "SET xmloption = content",
            f"SET timezone = '{r.choice(('UTC', 'Asia/Kathmandu', 'America/St_Johns'))}'", "SET datestyle = ISO"]


class Client:
    """A thread that works until `stop` is set. `problem` has what it could not bear."""

    def __init__(self, seed, name, schemas, stop):
        self.name = name
        self.thread = threading.Thread(target=self.run, name=name, daemon=True)
        self.random = random.Random(f"{seed} {name}")
        self.schemas = schemas
        self.stop = stop
        self.session = self.catalog = None
        self.frozen = False # the transaction at hand keeps the snapshot that it has
        self.prepared = [] # global transaction ids that wait for their end
        self.count = collections.Counter()
        self.problem = None

    def run(self):
        while not self.stop.is_set() and not self.problem:
            try:
                if not self.session:
                    self._connect()
                self.work()
            except pq.Failed as failed:
                self._failed(failed)
            except Exception as error: # a fault of this program must end the test, not a thread of it
                self.problem = f"{self.name}: {error!r}"
                raise
        self.close()

    def work(self):
        """One round of what this client does."""
        raise NotImplementedError

    def close(self):
        if self.session:
            self.session.close()
        self.session = None

    def _connect(self):
        self.session = pq.Session(self.name)
        self.session.run("; ".join(settings(self.random)))
        self.session.run(f"SELECT setseed({self.random.random()})")
        self.catalog = Catalog(self.session)

    def _failed(self, failed):
        self.count[failed.state] += 1
        if is_ours(failed):
            self.problem = f"{self.name}: {failed}"
        try:
            self.session.run("ROLLBACK")
        except (pq.Failed, AttributeError):
            self.close()
            time.sleep(0.2)

    def pick(self, mode="ROW EXCLUSIVE"):
        """A table, locked against changes of its definition, as it is now; or None."""
        tables = self.catalog.tables()
        if not tables:
            return None
        relid, schema, name, _ = self.random.choice(tables)
        self.session.run(f"LOCK TABLE {quoted(schema)}.{quoted(name)} IN {mode} MODE")
        table = self.catalog.table(relid, self.frozen)
        return table if table and (table.schema, table.name) == (schema, name) else None


class Writer(Client):
    """Transactions with inserts, updates, deletes and now and then a change of definition."""

    def work(self):
        r = self.random
        if self.prepared and r.random() < 0.5:
            self._end_prepared()
        self.frozen = r.random() < 0.2
        self.session.run(f"BEGIN ISOLATION LEVEL {r.choice(('REPEATABLE READ', 'SERIALIZABLE'))}" if self.frozen else "BEGIN")
        for _ in range(r.choice((1, 1, 2, 3, 8, 20))):
            self._step()
        self._end()

    def _step(self):
        """Some of it below savepoints, some of which are rolled back."""
        r = self.random
        if r.random() < 0.2:
            self.session.run("SAVEPOINT s")
            try:
                for _ in range(r.randint(1, 3)):
                    self._step()
            except pq.Failed as failed:
                if not failed.state or is_ours(failed):
                    raise
                self.count[failed.state] += 1
                self.session.run("ROLLBACK TO s")
            if r.random() < 0.3:
                self.session.run("ROLLBACK TO s")
            if r.random() < 0.7:
                self.session.run("RELEASE s")
            return
        if r.random() < 0.03:
            transactional = r.choice(("true", "true", "false"))
            self.session.run(f"SELECT pg_logical_emit_message({transactional}, 'note', {literal(values.text(r))})")
        if r.random() < 0.02:
            time.sleep(r.random() * 0.3)
        table = self.pick()
        if table and r.random() < 0.04:
            for statement in ddl.inside(r, table, self.schemas):
                self.session.run(statement)
                self.count["ddl"] += 1
        elif table:
            self._change(table)

    def _change(self, table):
        r = self.random
        kinds = [(self._insert, 10), (self._copy, 2), (self._fill, 1 if table.rows < 3000 else 0)]
        if table.partition: # rows find theirs by way of the parent
            kinds = [(self._insert, 0.2)]
        if table.placed and table.writable():
            kinds += [(self._update, 10), (self._delete, 4 if table.rows < 3000 else 12), (self._upsert, 2), (self._update_many, 1)]
        chosen, weights = zip(*kinds)
        self.count["rows"] += r.choices(chosen, weights)[0](table)

    def _value(self, column, short=False):
        r = self.random
        if column.refers:
            return f"({column.refers})"
        if not column.notnull and r.random() < 0.12:
            return "NULL"
        return values.expression(r, column.kind, column.indexed or short)

    def _row(self, table):
        return "(" + ", ".join(map(self._value, table.writable())) + ")"

    def _target(self, table):
        listed = ", ".join(quoted(column.name) for column in table.writable())
        return f"{table.sql} ({listed})" if listed else table.sql

    def _insert(self, table):
        r = self.random
        if not table.writable():
            return self.session.run(f"INSERT INTO {table.sql} DEFAULT VALUES")
        rows = ", ".join(self._row(table) for _ in range(r.choice((1, 1, 2, 5))))
        conflict = " ON CONFLICT DO NOTHING" if r.random() < 0.7 else ""
        return self.session.run(f"INSERT INTO {self._target(table)} OVERRIDING SYSTEM VALUE VALUES {rows}{conflict}")

    def _upsert(self, table):
        if not table.primary:
            return 0
        column = quoted(self.random.choice(table.writable()).name)
        return self.session.run(f"INSERT INTO {self._target(table)} OVERRIDING SYSTEM VALUE VALUES {self._row(table)} ON CONFLICT ON CONSTRAINT"
                                f" {quoted(table.primary)} DO UPDATE SET {column} = EXCLUDED.{column}")

    def _copy(self, table):
        """COPY writes many rows into one WAL record."""
        if not table.writable() or any(column.refers for column in table.columns):
            return 0
        rows = ", ".join(self._row(table) for _ in range(self.random.choice((1, 3, 20))))
        data = self.session.copy_out(f"COPY (VALUES {rows}) TO STDOUT")
        self.session.copy_in(f"COPY {self._target(table)} FROM STDIN", data)
        return data.count(b"\n")

    def _fill(self, table):
        """Many rows at once."""
        r = self.random
        def cell(column):
            spread = column.indexed and not column.kind.limit and SPREAD.get(column.kind.name)
            return spread or self._value(column, short=True)
        cells = [cell(column) for column in table.writable()]
        if not cells:
            return 0
        return self.session.run(f"INSERT INTO {self._target(table)} OVERRIDING SYSTEM VALUE SELECT {', '.join(cells)} "
                                f"FROM generate_series(1, {r.choice((50, 300, 300, 3000))}) ON CONFLICT DO NOTHING")

    @staticmethod
    def _some(table, count):
        return f"(tableoid, ctid) IN (SELECT tableoid, ctid FROM {table.sql} ORDER BY random() LIMIT {count})"

    def _update(self, table):
        r = self.random
        columns = [column for column in table.writable() if not table.partition or column.number > 1] # 1 chooses the partition
        open_to_change = [column for column in columns if not column.indexed or r.random() < 0.15] or columns[-1:]
        chosen = r.sample(open_to_change, min(len(open_to_change), r.randint(1, 3)))
        sets = ", ".join(f"{quoted(column.name)} = {quoted(column.name) if r.random() < 0.1 else self._value(column)}" for column in chosen)
        count = 1 if any(column.indexed for column in chosen) else r.choice((1, 1, 3, 20))
        if r.random() < 0.1:
            lock = r.choice(("UPDATE", "SHARE", "KEY SHARE"))
            self.session.rows(f"SELECT 1 FROM {table.sql} WHERE {self._some(table, count)} FOR {lock}")
        return self.session.run(f"UPDATE {table.sql} SET {sets} WHERE {self._some(table, count)}")

    def _update_many(self, table):
        free = [column for column in table.writable() if not column.indexed]
        if not free:
            return 0
        column = self.random.choice(free)
        return self.session.run(f"UPDATE {table.sql} SET {quoted(column.name)} = {self._value(column, short=table.rows > 100)} WHERE random() < 0.3")

    def _delete(self, table):
        return self.session.run(f"DELETE FROM {table.sql} WHERE {self._some(table, self.random.choice((1, 1, 5, 40, 1000)))}")

    def _end(self):
        """Commit, roll back, or leave it open."""
        r = self.random
        how = r.random()
        if how < 0.08 and len(self.prepared) < 2:
            name = f"{self.name} {r.getrandbits(40)}"
            self.session.run(f"PREPARE TRANSACTION {literal(name)}")
            self.prepared.append(name)
        else:
            self.session.run("ROLLBACK" if how < 0.18 else "COMMIT")
        self.count["transactions"] += 1

    def _end_prepared(self):
        r = self.random
        name = self.prepared.pop(r.randrange(len(self.prepared)))
        self.session.run(f"{'COMMIT' if r.random() < 0.7 else 'ROLLBACK'} PREPARED {literal(name)}")


class Sleeper(Writer):
    """Writes, and leaves its transactions open for long."""

    def work(self):
        self.session.run("BEGIN")
        table = self.pick()
        if table:
            self._change(table)
        self.stop.wait(self.random.uniform(0.5, 1.8)) # others' lock_timeout is 2 s
        self.session.run("COMMIT" if self.random.random() < 0.8 else "ROLLBACK")
        self.count["transactions"] += 1
        self.stop.wait(self.random.random())


class Definer(Client):
    """Changes definitions all the time, makes tables, attaches and detaches partitions."""

    def __init__(self, seed, name, schemas, stop, maker):
        super().__init__(seed, name, schemas, stop)
        self.maker = maker
        self.detached = [] # (partition's relid, parent's relid, bound)

    def work(self):
        r = self.random
        self.stop.wait(r.random() * 0.3)
        kind = r.random()
        if kind < 0.1:
            self._new_table()
        elif kind < 0.2:
            self._partition()
        elif kind < 0.25:
            self._rename_schema()
        elif kind < 0.4:
            self._alone()
        else:
            self._inside()

    def _inside(self):
        r = self.random
        self.session.run("BEGIN")
        table = self.pick("ACCESS SHARE")
        for statement in ddl.inside(r, table, self.schemas) if table else []:
            self.session.run(statement)
            self.count["ddl"] += 1
        self.session.run("COMMIT" if r.random() < 0.85 else "ROLLBACK")

    def _alone(self):
        self.session.run("BEGIN")
        table = self.pick("ACCESS SHARE")
        self.session.run("COMMIT")
        if table:
            self.session.run(ddl.alone(self.random, table))
            self.count["ddl"] += 1

    def _new_table(self):
        if len(self.catalog.tables()) > 45:
            return
        self.session.run("BEGIN")
        for statement in self.maker.table():
            self.session.run(statement)
        self.session.run("COMMIT")
        self.count["ddl"] += 1

    def _rename_schema(self):
        """There and back: the list of schemas stays."""
        name = self.random.choice([schema for schema in self.schemas if schema != "public"])
        self.session.run(f"ALTER SCHEMA {quoted(name)} RENAME TO \"renamed meanwhile\"")
        try:
            self.stop.wait(self.random.random() * 0.3)
        finally:
            self._insist(f"ALTER SCHEMA \"renamed meanwhile\" RENAME TO {quoted(name)}")
        self.count["ddl"] += 1

    def _insist(self, statement):
        """What has to be done, whatever the server goes through."""
        for _ in range(40):
            try:
                if not self.session:
                    self._connect()
                self.session.run(statement)
                return
            except pq.Failed as failed:
                self._failed(failed)

    def _partition(self):
        if self.detached and self.random.random() < 0.6:
            leaf, parent, bound = self.detached.pop(self.random.randrange(len(self.detached)))
            leaf, parent = self.catalog.table(leaf), self.catalog.table(parent)
            if leaf and parent:
                # This lock lets others write to the parent, who have looked at its partitions already.
                self.session.run(f"ALTER TABLE {leaf.sql} REPLICA IDENTITY FULL")
                self.session.run(f"ALTER TABLE {parent.sql} ATTACH PARTITION {leaf.sql} {bound}")
        else:
            found = self.session.rows("SELECT c.oid, i.inhparent, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c JOIN pg_inherits i"
                                      " ON i.inhrelid = c.oid WHERE c.relispartition AND c.relkind = 'r'")
            if not found:
                return
            leaf, parent, bound = self.random.choice(found)
            tables = self.catalog.table(int(leaf)), self.catalog.table(int(parent))
            self.session.run(f"ALTER TABLE {tables[1].sql} DETACH PARTITION {tables[0].sql}")
            self.detached.append((int(leaf), int(parent), bound))
        self.count["ddl"] += 1
