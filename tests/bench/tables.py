"""tables.py - the tables of docs/BENCHMARKS.md: which figures stand side by side, and what they have to reach.

A line of a table has a label, a case, and for each column the place of a figure: (row, contestant, figure). Its cells are shown
through `shown`, which makes a rate of seconds, say. `ratio` is taken of the cells' medians as they are shown.
"""

IDEAS = "## Ideas that did not pay"
FACT = "-"  # the contestant of figures that are nobody's


class Table:
    def __init__(self, name, title, unit, text, columns, lines, shown=None, ratio=None, at_most=False, judged=None):
        self.name, self.title, self.unit, self.text, self.columns = name, title, unit, text, columns
        self.lines = lines  # [(label, case, [place for each column], target or None)]
        self.shown = shown or (lambda fact, value: value)  # fact(figure): of the value's own row and case
        self.ratio, self.at_most = ratio, at_most
        self.judged = judged or len(columns)  # so many columns the ratio is taken of


def lines(row, cases, contestants, figure, targets):
    """One line a case, one column a contestant."""
    return [(label, case, [(row, contestant, figure) for contestant in contestants], target)
            for (case, label), target in zip(cases, targets)]


def rate(figure, unit):
    """Seconds -> so many of a fact per second."""
    return lambda fact, seconds: fact(figure) / unit / seconds


def ours_to_best(cells):
    return cells[0] / max(cells[1:])


def first_to_second(cells):
    return cells[0] / cells[1]


WORKLOADS = [("insert", "one large insert"), ("update", "one large update"), ("small", "transactions of one row")]
# Said of each table whose turns begin with memory_at_hand (lib.sh).
WARM = (" Before each turn, 1.5 GB of memory are touched and given back: else whoever first touches a page that this virtual machine"
        " has given back to its host pays 5 us for it.")
SIZES = ["2MB", "20MB", "200MB", "0.1GB", "1GB", "10GB"]  # those that were measured are shown

PLUGINS = ["deltaflood", "pgoutput", "test_decoding", "wal2json"]

TABLES = [
    Table("plugin", "The plugin", "thousand changes per second",
          "Through `pg_recvlogical` to /dev/null, the same log each time. The ratio is to the fastest of the others; the last column is deltaflood with"
          " the table left out: about what the server takes by itself." + WARM,
          PLUGINS + ["no lines"],
          lines("plugin", WORKLOADS, PLUGINS + ["silent"], "seconds", [2.0, 2.0, 1.5]), rate("changes", 1e3), ours_to_best,
          judged=len(PLUGINS)),
    Table("ingest", "From the slot to a durable, published store", "thousand changes per second",
          "From the daemon's start until the mount shows all; next to it `pg_recvlogical -f /dev/null` on the same plugin, to which the ratio is, and the"
          " same to a file, which it syncs at the end." + WARM, ["daystreamfs", "pg_recvlogical", "to a file"],
          lines("ingest", WORKLOADS, ["daystreamfs", "pg_recvlogical", "pg_recvlogical_file"], "seconds", [0.95] * 3), rate("changes", 1e3),
          first_to_second),
    Table("cpu", "The daemon's processor time while ingesting", "seconds",
          "Next to that of the walsender that feeds it, in the same turns; of a `pg_recvlogical -f /dev/null` in its place, which keeps nothing and"
          " looks at nothing; and of a walsender with pgoutput for the same changes.",
          ["daystreamfs", "walsender", "pg_recvlogical", "pgoutput's"],
          [(label, case, [("ingest", "daystreamfs", "cpu"), ("ingest", "daystreamfs", "walsender_cpu"), ("ingest", "pg_recvlogical", "cpu"),
                          ("plugin", "pgoutput", "server_cpu")], 0.2)
           for case, label in WORKLOADS], ratio=first_to_second, at_most=True, judged=2),
    Table("latency", "From a commit to a readable line", "milliseconds",
          "One client, 1,000 transactions per second: from the COMMIT sent until poll(2) tells that its line can be read from"
          " `/live`, and until it has been read. The ratio is to the pipe of `pg_recvlogical` and one fdatasync.",
          ["daystreamfs", "pg_recvlogical", "fdatasync"],
          [(label, "commits", [("latency", who, read + figure) for who in ("daystreamfs", "pg_recvlogical")]
            + [("latency", "fdatasync", figure)], target)
           for label, read, figure, target in (("median", "", "p50_ms", 1.2), ("99th percentile", "", "p99_ms", 2.0),
                                               ("read: median", "read_", "p50_ms", None),
                                               ("read: 99th percentile", "read_", "p99_ms", None))],
          ratio=lambda cells: cells[0] / (cells[1] + cells[2]), at_most=True),
    Table("read", "Reading a past day, and all", "GB per second",
          "`cat` through the mount, next to `cat` of the segment files; warm, in memory that was compacted before: what the kernel caches of a"
          " mount it keeps in single pages, which are copied at up to a fifth less speed where they lie scattered.",
          ["daystreamfs", "cat"], lines("read", [("day", "/days"), ("live", "/live")], ["daystreamfs", "cat"], "seconds", [0.9, 0.4]),
          rate("bytes", 1e9), first_to_second),
    Table("tables", "One table's lines", "thousand lines per second",
          "`/tables/<name>`, next to `LC_ALL=C grep -F` over the segment files; warm, both to /dev/zero. Lines found,"
          " by the table's share of all lines.",
          ["daystreamfs", "grep"],
          lines("tables", [(share, share) for share in ("1%", "10%", "100%")], ["daystreamfs", "grep"], "seconds", [2.0] * 3),
          rate("lines", 1e3), first_to_second),
    Table("since", "The first bytes of /since", "milliseconds",
          "`/since/<t>/live` at a place by chance, in stores of three sizes, with nothing of them in the page cache.",
          ["daystreamfs"], lines("stores", [(size, size) for size in SIZES], ["daystreamfs"], "first_byte_ms", [None] * len(SIZES))),
    Table("start", "The daemon's start", "seconds",
          "Until it is mounted, with nothing of the store in the page cache.",
          ["daystreamfs"],
          lines("stores", [(size, size) for size in SIZES], ["daystreamfs"], "seconds", [1.0] * len(SIZES)),
          ratio=lambda cells: cells[0], at_most=True),
    Table("start-read", "What a start reads", "MB",
          "What the daemon has read when it is mounted, next to the newest segment's size.",
          ["daystreamfs", "newest segment"],
          [(size, size, [("stores", "daystreamfs", "start_read_bytes"), ("stores", FACT, "newest_segment_bytes")], None) for size in SIZES],
          lambda fact, value: value / 1e6, first_to_second),
    Table("catchup", "A mirror catches up", "thousand lines per second",
          "Next to a bare SQLite loop: rows parsed before, bound to the same statements, the same pragmas.",
          ["deltamirror", "bare loop"],
          lines("catchup", [("inserts", "inserts"), ("random", "random updates"), ("hot", "updates of 1% of the keys")],
                ["deltamirror", "bare"], "seconds", [0.9, 1.5, 3.0]), rate("lines", 1e3), first_to_second),
    Table("talk", "A mirror catches up, the talk's way", "thousand lines per second",
          "Next to a Tcl script (`split`, `array set`, `sqlite3`, a commit with the place for each transaction) on the "
          "same lines.",
          ["deltamirror", "Tcl"],
          lines("catchup", [("inserts", "inserts"), ("random", "random updates"), ("hot", "updates of 1% of the keys")],
                ["deltamirror", "talk"], "seconds", [12.0] * 3), rate("lines", 1e3), first_to_second),
    Table("copy", "A new mirror", "thousand rows per second",
          "From a snapshot in the mount, and from the server, next to a bare loop of inserts that `COPY TO STDOUT` "
          "feeds.",
          ["deltamirror", "bare loop"],
          [("through the mount", "copy", [("copy", "mount", "seconds"), ("copy", "bare", "seconds")], 0.7),
           ("from the server", "copy", [("copy", "server", "seconds"), ("copy", "bare", "seconds")], 0.8)],
          rate("rows", 1e3), first_to_second),
    Table("arrival", "From a commit to a row in SQLite", "milliseconds",
          "One client, 100 transactions per second: from the COMMIT sent until another process finds the row. Below it "
          "what the machine takes for one sync, and one byte there and back through ssh.",
          ["median", "99th percentile"],
          [(label, "commits", [("arrival", who, "p50_ms"), ("arrival", who, "p99_ms")], None)
           for who, label in (("local", "mirror beside the mount"), ("sshfs", "mirror over sshfs"), ("fdatasync", "one fdatasync"),
                              ("ssh", "ssh, there and back"))]),
    Table("followers", "Followers", "thousand changes per second",
          "The daemon catches up while so many follow `/live`, next to none following." + WARM,
          ["with followers", "with none"],
          [(str(n), "insert", [("followers", str(n), "seconds"), ("followers", "0", "seconds")], 0.9 if n <= 10 else None) for n in (1, 10, 100)],
          rate("changes", 1e3), first_to_second),
    Table("load", "Followers and the server", "seconds",
          "The walsender's processor time for the same.",
          ["with followers", "with none"],
          [(str(n), "insert", [("followers", str(n), "walsender_cpu"), ("followers", "0", "walsender_cpu")], 1.1) for n in (1, 10, 100)],
          ratio=first_to_second, at_most=True),
    Table("bytes", "Bytes per change", "bytes",
          "On disk in the store, with the index; next to what the plugins print. The ratio is to deltaflood's.",
          ["store"] + PLUGINS,
          [(label, case, [("ingest", FACT, "disk_bytes")] + [("plugin", FACT, "bytes_" + plugin) for plugin in PLUGINS], None)
           for case, label in WORKLOADS],
          lambda fact, value: value / fact("changes"), first_to_second),
]
