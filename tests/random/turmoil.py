#!/usr/bin/python3
"""Random traffic against a live chain, while its programs are killed:

    turmoil.py --seed N --seconds N --store STORE --mount MOUNT --folder FOLDER

PG* variables lead to the server; STORE is made. FOLDER/mirrors keeps what
mirrors there are, a line each: name, options, tables, joined by tabs, words by
\\x1f; a next run goes on with them. At the end the server is at rest, and no
program runs. Exits 1 where one of them ended by itself, or did not end.
"""
import argparse
import collections
import random
import sys
import threading
import time

sys.dont_write_bytecode = True
import pq
import tables
from chain import Daemon, Ended, Mirror
from chaos import Chaos
from pq import literal, quoted
from traffic import Definer, Sleeper, Writer

WRITERS = 4


def say(text):
    print(text, flush=True)


def populate(session, seed):
    """The first tables; what the server refuses of one is left out."""
    rand = random.Random(f"{seed} schema")
    for statement in tables.types():
        session.run(statement)
    for schema in tables.more_schemas(rand):
        session.run(f"CREATE SCHEMA {quoted(schema)}")
    maker = tables.Maker(rand, schemas_of(session))
    wanted = [maker.kept(f"{tables.KEEPS_NAME} {i}/%") for i in range(3)] + [tables.family(rand)] + [maker.table() for _ in range(12)]
    refused = 0
    for statements in wanted:
        try:
            session.run("BEGIN; " + "; ".join(statements) + "; COMMIT")
        except pq.Failed as failed:
            session.run("ROLLBACK")
            say(f"# refused: {str(failed)[:200]}")
            refused += 1
    say(f"# {len(wanted) - refused} tables, {refused} refused")


def first_rows(seed):
    """What stands in the tables before anybody follows them."""
    stop = threading.Event()
    writer = Writer(seed, "first writer", again(schemas_of), stop)
    writer.thread.start()
    time.sleep(2)
    stop.set()
    writer.thread.join(60)
    again(lambda session: at_rest(session, seed))


def schemas_of(session):
    return [name for name, in session.rows(
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$|daystream$|odd$)' ORDER BY oid")]


def clients_of(seed, schemas, stop):
    maker = tables.Maker(random.Random(f"{seed} maker"), schemas)
    return ([Writer(seed, f"writer {i}", schemas, stop) for i in range(WRITERS)]
            + [Sleeper(seed, "sleeper", schemas, stop), Definer(seed, "definer", schemas, stop, maker)])


def at_rest(session, seed):
    """Ends what was prepared."""
    rand = random.Random(f"{seed} rest")
    for name, in session.rows("SELECT gid FROM pg_prepared_xacts ORDER BY gid"):
        session.run(f"{rand.choice(('COMMIT', 'ROLLBACK'))} PREPARED {literal(name)}")


def again(work, seconds=60):
    """Runs work(session); the server may just be coming back from a crash."""
    end = time.monotonic() + seconds
    while True:
        try:
            with pq.Session("turmoil") as session:
                return work(session)
        except pq.Failed:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


def rush(arguments, daemon, mirrors):
    """Clients and chaos until time is over."""
    stop = threading.Event()
    clients = clients_of(arguments.seed, again(schemas_of), stop)
    chaos = Chaos(arguments, daemon, mirrors)
    for client in clients:
        client.thread.start()
    try:
        chaos.run(clients)
    finally:
        stop.set()
        for client in clients:
            client.thread.join(60)
    for client in clients:
        if client.thread.is_alive():
            raise Ended(f"{client.name} hangs")
        if client.problem:
            raise Ended(client.problem)
    count = sum((client.count for client in clients), collections.Counter())
    say(f"# {count['transactions']} transactions, {count['rows']} rows, {count['ddl']} changes of definition")
    say("# refused: " + ", ".join(f"{state or 'connection'} {n}" for state, n in count.most_common() if state not in ("transactions", "rows", "ddl")))
    say("# " + ", ".join(f"{name} {n}" for name, n in sorted(chaos.count.items())))


def load_mirrors(arguments):
    try:
        with open(f"{arguments.folder}/mirrors", encoding="utf-8") as lines:
            cells = [line.rstrip("\n").split("\t") for line in lines]
    except FileNotFoundError:
        return []
    return [Mirror(name, arguments.folder, options.split("\x1f"), only.split("\x1f") if only else ()) for name, options, only in cells]


def save_mirrors(arguments, mirrors):
    with open(f"{arguments.folder}/mirrors", "w", encoding="utf-8") as lines:
        lines.writelines(f"{mirror.name}\t{chr(31).join(mirror.options)}\t{chr(31).join(mirror.only)}\n" for mirror in mirrors)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--populate", action="store_true", help="makes the first tables and their first rows, nothing else")
    for name in ("--seed", "--store", "--mount", "--folder"):
        parser.add_argument(name, required=True)
    parser.add_argument("--seconds", type=float, default=30)
    arguments = parser.parse_args()
    if arguments.populate:
        again(lambda session: populate(session, arguments.seed))
        first_rows(arguments.seed)
        return 0
    daemon = Daemon(arguments.store, arguments.mount, f"{arguments.folder}/daemon.log")
    mirrors = load_mirrors(arguments)
    status = 0
    try:
        daemon.start()
        rush(arguments, daemon, mirrors)
        again(lambda session: at_rest(session, arguments.seed))
    except Ended as ended:
        say(str(ended))
        status = 1
    for program in [*mirrors, daemon]:
        try:
            program.watch()
            if program.running():
                program.stop()
        except Ended as ended:
            say(str(ended))
            status = 1
    save_mirrors(arguments, mirrors)
    return status


sys.exit(main())
