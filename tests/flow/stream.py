#!/usr/bin/python3
"""Reads a stream (a file of lines) by docs/FORMAT.md alone.

stream.py rules [--crc] FILE            the order and shape that every stream has
stream.py tree MOUNTPOINT               /live against all other files of the tree
stream.py snapshot FOLDER LIVE          a snapshot against all that is retained: its files, and
                                        that `overlap` has what the copy did not see, no more
stream.py bank FILE HISTORY             pgbench's transactions against HISTORY, the
                                        ids of pgbench_history as PostgreSQL has them
"""
import datetime
import errno
import os
import random
import sys
import time

ESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
problems = 0


def problem(text):
    global problems
    problems += 1
    if problems <= 20:
        print(text)


def pairs(line):
    cells = line.rstrip("\n").split("\t")
    if len(cells) % 2:
        raise ValueError("a name without a value")
    return list(zip(cells[::2], cells[1::2]))


def pseudo_columns(all_pairs):
    """Those up to `_action`; what follows belongs to the row."""
    return dict(all_pairs[:[name for name, _ in all_pairs].index("_action") + 1])


def lines_of(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in file:
            if not line.endswith("\n"):
                problem(f"a line without its end: {line[:100]}")
                return
            yield line


CRC_TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    CRC_TABLE.append(byte)


def crc32c(crc, data):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def lsn_number(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def commit_second(text):
    if len(text.split("+")[0].split(" ")[1]) > 8:
        whole, rest = text.split(".")
        text = whole + "+" + rest.split("+")[1]
    return int(datetime.datetime.fromisoformat(text + ":00").timestamp())


def rules(path, with_crc):
    order = ["_c", "_s", "_schema", "_table", "_xid", "_relid", "_key", "_action"]
    second, number, lsn, crc = -1, -1, 0, 0
    xid = xid_second = None
    previous, first, generation = "", True, None
    for line in lines_of(path):
        head = pairs(line)
        pseudo = pseudo_columns(head)
        until = len(pseudo)
        if [name for name in order if name in pseudo] != [name for name, _ in head[:until]]:
            problem(f"pseudo-columns out of order: {line[:200]}")
        c, s = int(pseudo["_c"]), int(pseudo["_s"])
        if not first and not (c == second and s == number + 1 or c > second and s == 0):
            problem(f"position {c}.{s} after {second}.{number}")
        second, number = c, s
        action = pseudo["_action"]
        row = dict(head[until:])
        if first and action != "origin":
            problem("the stream does not start with an origin line")
        first = False
        if action == "origin":
            if xid:
                problem(f"origin inside transaction {xid}")
            if generation is not None and int(row["generation"]) < generation:
                problem("generation goes back")
            if generation is not None and int(row["generation"]) > generation:
                lsn = 0 # another history, it may be
            generation = int(row["generation"])
        elif "_xid" in pseudo:
            if xid and pseudo["_xid"] != xid:
                problem(f"transaction {pseudo['_xid']} inside {xid}")
            if xid and c != xid_second:
                problem(f"transaction {xid} in two seconds")
            xid, xid_second = pseudo["_xid"], c
        if action == "update" and previous == "replace":
            pass
        elif previous == "replace":
            problem("replace without its update")
        previous = action
        if action == "commit":
            if "_table" in pseudo:
                problem("commit with a table")
            if lsn_number(row["lsn"]) <= lsn:
                problem(f"LSN {row['lsn']} goes back")
            lsn = lsn_number(row["lsn"])
            if commit_second(row["time"]) > c:
                problem(f"committed at {row['time']}, stamped {c}")
            if with_crc:
                crc = crc32c(crc, line[:line.rindex("crc\t")].encode())
                if f"{crc:08x}" != row["crc"]:
                    problem(f"crc {row['crc']} should be {crc:08x}: {line[:200]}")
            xid, crc = None, 0
        elif with_crc:
            crc = crc32c(crc, line.encode())
    if xid or previous not in ("commit", "origin", "schema"):
        problem(f"ends inside transaction {xid}")


def unescaped(text):
    out, i = "", 0
    while i < len(text):
        if text[i] == "\\":
            out += ESCAPES[text[i + 1]]
            i += 1
        else:
            out += text[i]
        i += 1
    return out


def component(pseudo):
    def part(text):
        name = unescaped(text)
        return "".join("%%%02X" % ord(c) if c in "%/.," or c < " " or c == "\x7f" or (c == "-" and i == 0) else c
                       for i, c in enumerate(name))
    schema = pseudo.get("_schema", "public")
    return part(pseudo["_table"]) if schema == "public" else part(schema) + "." + part(pseudo["_table"])


def read(path):
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size != os.stat(path).st_size:
            problem(f"{path}: two sizes")
        data = file.read()
        if len(data) != os.fstat(file.fileno()).st_size:
            problem(f"{path}: size {os.fstat(file.fileno()).st_size}, {len(data)} bytes")
        return data


def same(path, wanted):
    try:
        got = read(path)
    except OSError as error:
        problem(f"{path}: {error.strerror}")
        return
    if got != wanted:
        problem(f"{path}: {len(got)} bytes differ from the {len(wanted)} wanted")


def tree(mount):
    live = read(mount + "/live")
    found, tables, places = [], {}, []
    offset = 0
    for raw in live.splitlines(keepends=True):
        head = pseudo_columns(pairs(raw.decode()))
        found.append((int(head["_c"]), int(head["_s"]), offset, raw))
        if "_table" in head:
            tables.setdefault(component(head), []).append(len(found) - 1)
        offset += len(raw)
    for c, s, _, raw in found:
        same(f"{mount}/by-time/{c}/{s}", raw)
    for c in {line[0] for line in found}:
        second = [line for line in found if line[0] == c]
        same(f"{mount}/by-time/{c}/all", b"".join(line[3] for line in second))
        listed = {name for name in os.listdir(f"{mount}/by-time/{c}") if name != "all"}
        if listed != {str(line[1]) for line in second}:
            problem(f"/by-time/{c} lists other lines than there are")
    days = {}
    for c, _, _, raw in found:
        day = time.strftime("%Y-%m-%d", time.gmtime(c))
        days[day] = days.get(day, b"") + raw
    if sorted(os.listdir(mount + "/days")) != sorted(days):
        problem(f"/days lists {os.listdir(mount + '/days')}, /live has {sorted(days)}")
    for day, lines in days.items():
        same(f"{mount}/days/{day}", lines)
    listed = sorted(os.listdir(mount + "/tables"))
    if listed != sorted(tables):
        problem(f"/tables lists {listed}, /live has {sorted(tables)}")
    for name, mine in tables.items():
        same(f"{mount}/tables/{name}", b"".join(found[i][3] for i in mine))
    random.seed(len(found))
    last = found[-1][0]
    places = random.sample(found, min(20, len(found))) + [found[0], found[-1]]
    # Positions that no line has: before all, between two seconds, behind all.
    places += [(1, 0, 0, b""), (found[0][0], 0, 0, b""), (last, found[-1][1] + 1, len(live), b""), (last + 9, 7, len(live), b"")]
    places += [(c + 1, 0, 0, b"") for c, *_ in random.sample(found, 5)]
    for c, s, *_ in places:
        rest = [i for i, line in enumerate(found) if line[:2] >= (c, s)]
        same(f"{mount}/since/{c}/{s}/live", b"".join(found[i][3] for i in rest))
        for name, mine in tables.items():
            same(f"{mount}/since/{c}/{s}/tables/{name}", b"".join(found[i][3] for i in mine if found[i][:2] >= (c, s)))
    for nothing in (f"by-time/{last}/{found[-1][1] + 1}", "by-time/1/0", f"by-time/0{last}/0", f"by-time/{last}/00",
                    "by-time/x/0", f"by-time/{last}/x", "by-time/99999999999999999999/0", "tables/no such table",
                    f"tables/public.{next(iter(tables))}", "tables/%41", "tables/%2e", "since/x/0/live", "since/1/x/live",
                    "since/1/0/tables/no such table", "nothing", f"by-time/{last + 9}/all", "days/1970-01-02",
                    "days/2999-12-31", "days/2024-2-1", "days/yesterday"):
        try:
            os.stat(f"{mount}/{nothing}")
            problem(f"/{nothing} is there")
        except OSError as error:
            if error.errno != errno.ENOENT:
                problem(f"/{nothing}: {error.strerror}, not ENOENT")
    print(f"{len(found)} lines, {len(tables)} tables")


def visible(snapshot, xid):
    """Whether pg_current_snapshot()'s text sees a transaction."""
    xmin, xmax, running = snapshot.split(":")
    return xid < int(xmin) or xid < int(xmax) and str(xid) not in running.split(",")


def manifest_of(folder):
    """Its lines, each a dict; the first pair's name tells them apart."""
    lines, text = [], read(folder + "/manifest")
    for line in lines_of(folder + "/manifest"):
        lines.append(dict(pairs(line)))
    end = text.rindex(b"end\t")
    if f"{crc32c(0, text[:end]):08x}" != lines[-1]["crc"]:
        problem("the manifest's crc is wrong")
    return lines


def snapshot_tables(folder, manifest):
    listed = {line["table"]: line for line in manifest if "table" in line}
    if {unescaped(name) for name in listed} != set(os.listdir(folder + "/tables")):
        problem(f"the manifest lists {sorted(listed)}, tables has {sorted(os.listdir(folder + '/tables'))}")
    for name, facts in listed.items():
        data = read(f"{folder}/tables/{unescaped(name)}")
        lines = data.decode().split("\n")[:-1]
        actions = []
        for line in lines:
            pseudo = pseudo_columns(pairs(line))
            actions.append(pseudo["_action"])
            if component(pseudo) != unescaped(name) or {"_c", "_s", "_xid"} & set(pseudo):
                problem(f"tables/{name} has the line {line[:200]}")
        if actions[:1] != ["schema"] or set(actions[1:]) - {"insert"} or len(actions) - 1 != int(facts["rows"]):
            problem(f"tables/{name} has {len(actions)} lines, not a schema and {facts['rows']} rows")
        if len(data) != int(facts["bytes"]) or f"{crc32c(0, data):08x}" != facts["crc"]:
            problem(f"tables/{name} has {len(data)} bytes, {facts['bytes']} wanted, or another crc than {facts['crc']}")
    return len(listed)


def head_of(line):
    """The pseudo-columns, without a look at the row."""
    cells = line.rstrip("\n").split("\t", 16)
    return pseudo_columns(list(zip(cells[::2], cells[1::2])))


def transactions(path, until):
    """(xid, lines) of each transaction before a position; commit lines without their crc, which depends on what stands before."""
    lines = []
    for line in lines_of(path):
        pseudo = head_of(line)
        if (int(pseudo["_c"]), int(pseudo["_s"])) >= until:
            return
        if "_xid" not in pseudo:
            continue # what opens a segment
        if pseudo["_action"] == "commit":
            yield int(pseudo["_xid"]), [*lines, line[:line.rindex("\tcrc\t")]]
            lines = []
        else:
            lines.append(line)


def snapshot(folder, live):
    manifest = manifest_of(folder)
    head = manifest[0]
    count = snapshot_tables(folder, manifest)
    until = tuple(map(int, head["snapshot"].split(".")))
    if os.path.basename(os.path.realpath(folder)) != head["snapshot"]:
        problem(f"the folder {folder} is not {head['snapshot']}")
    overlap = read(folder + "/overlap")
    facts = next(line for line in manifest if "overlap" in line)
    if len(overlap) != int(facts["overlap"]) or f"{crc32c(0, overlap):08x}" != facts["crc"]:
        problem(f"overlap has {len(overlap)} bytes, {facts['overlap']} wanted, or another crc than {facts['crc']}")
    crc = 0
    for line in lines_of(folder + "/overlap"):
        if pseudo_columns(pairs(line))["_action"] == "commit":
            crc = crc32c(crc, line[:line.rindex("crc\t")].encode())
            if f"{crc:08x}" != dict(pairs(line))["crc"]:
                problem(f"overlap: crc should be {crc:08x}: {line[:200]}")
            crc = 0
        else:
            crc = crc32c(crc, line.encode())
    narrowed = head["tables"] != "\\N"
    got = list(transactions(folder + "/overlap", (1 << 62, 0)))
    wanted = [(xid, lines) for xid, lines in transactions(live, until) if not visible(head["visible"], xid)]
    if not narrowed and got != wanted:
        mine, others = [xid for xid, _ in got], [xid for xid, _ in wanted]
        problem(f"overlap has the transactions {mine}, the stream has {others} that the copy did not see"
                if mine != others else "overlap has the right transactions, with other lines than the stream's")
    if not got or not any("\t_action\tmessage\tprefix\tdaystream\t" in line for line in got[-1][1]):
        problem("overlap does not end with the transaction that marked the position")
    print(f"{count} tables, {len(got)} transactions of overlap")


def bank(path, history):
    """Each TPC-B transaction adds one delta to an account, a teller and a
    branch and notes it in the history: what a row was before, and what it is
    after, tells whether a line is lost, repeated or out of order."""
    with open(history, encoding="utf-8") as file:
        wanted = {line.strip() for line in file}
    kinds = {"pgbench_accounts": ("aid", "abalance"), "pgbench_tellers": ("tid", "tbalance"),
             "pgbench_branches": ("bid", "bbalance")}
    balance = {table: {} for table in kinds}
    seen = set()
    steps, delta = {}, None
    for line in lines_of(path):
        cells = line.rstrip("\n").split("\t")
        at = cells.index("_action")
        action, row = cells[at + 1], dict(zip(cells[at + 2::2], cells[at + 3::2]))
        table = cells[5] if cells[4] == "_table" else None
        if action == "commit":
            if steps and (set(steps) != set(kinds) or delta is None or set(steps.values()) != {delta}):
                problem(f"a transaction that does not add up: {steps}, delta {delta}: {line[:100]}")
            steps, delta = {}, None
        elif table in kinds and action in ("insert", "update"):
            key, value = (row[name] for name in kinds[table])
            if (key in balance[table]) == (action == "insert"):
                problem(f"{action} of {table} {key}, which is {'there' if action == 'insert' else 'not there'}")
            if action == "update":
                if table in steps:
                    problem(f"two updates of {table} in a transaction")
                steps[table] = int(value) - balance[table].get(key, 0)
            balance[table][key] = int(value)
        elif table == "pgbench_history" and action == "insert":
            if row["id"] in seen:
                problem(f"history {row['id']} twice")
            seen.add(row["id"])
            delta = int(row["delta"])
    if seen != wanted:
        problem(f"history: {len(wanted - seen)} lost, {len(seen - wanted)} that PostgreSQL does not have")
    sums = [sum(rows.values()) for rows in balance.values()]
    print(f"{len(seen)} transactions, balances {sums}")


if __name__ == "__main__":
    if sys.argv[1] == "rules":
        rules(sys.argv[-1], "--crc" in sys.argv)
    elif sys.argv[1] == "tree":
        tree(sys.argv[2])
    elif sys.argv[1] == "snapshot":
        snapshot(sys.argv[2], sys.argv[3])
    elif sys.argv[1] == "bank":
        bank(sys.argv[2], sys.argv[3])
    else:
        sys.exit(__doc__)
    if problems:
        print(f"{problems} problems")
    sys.exit(problems > 0)
