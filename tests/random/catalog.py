"""What the server's catalogs say of tables and types. Clients ask anew for each
table that they have locked, so a definition is always the one in force."""
import dataclasses

from pq import quoted


@dataclasses.dataclass
class Type:
    name: str  # pg_type.typname
    sql: str   # as format_type prints it, to be cast to
    form: str  # base, array, domain, composite, enum, range, multirange
    limit: bool
    parts: list
    labels: list


@dataclasses.dataclass
class Column:
    name: str
    kind: Type
    number: int
    notnull: bool
    generated: bool
    identity: bool
    indexed: bool # so its values have to be short
    refers: str   # a query for a value that its foreign key allows, or None


@dataclasses.dataclass
class Table:
    relid: int
    schema: str
    name: str
    kind: str     # r or p, as pg_class.relkind
    identity: str # d, n, f, i, as pg_class.relreplident
    placed: bool  # updates and deletes can be placed
    partition: bool
    primary: str  # the primary key's name, or None
    rows: int     # the server's estimate
    columns: list

    @property
    def sql(self):
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def writable(self):
        return [column for column in self.columns if not column.generated]


OURS = "n.nspname !~ '^(pg_|information_schema$|daystream$)' AND c.relpersistence = 'p'"

TABLES = f"""
    SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND {OURS} ORDER BY c.oid"""

# A table's updates can be placed where each leaf that they reach has an identity.
TABLE = """
    SELECT n.nspname, c.relname, c.relkind, c.relreplident, c.relispartition,
        NOT EXISTS (SELECT FROM pg_partition_tree({0}) l JOIN pg_class k ON k.oid = l.relid
            WHERE l.isleaf AND k.relkind = 'r' AND NOT (k.relreplident = 'f' OR EXISTS (
                SELECT FROM pg_index i WHERE i.indrelid = k.oid AND i.indisvalid AND i.indimmediate AND
                    (k.relreplident = 'd' AND i.indisprimary OR k.relreplident = 'i' AND i.indisreplident))))
        AND (c.relkind = 'p' OR c.relreplident = 'f' OR EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND
                (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident))),
        (SELECT conname FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p'), greatest(c.reltuples, 0)::int8
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = {0}"""

COLUMNS = """
    SELECT attname, atttypid, format_type(atttypid, atttypmod), atttypmod <> -1, attnum, attnotnull, attgenerated <> '', attidentity <> '',
        EXISTS (SELECT FROM pg_index i WHERE i.indrelid = attrelid AND attnum = ANY (i.indkey))
        OR EXISTS (SELECT FROM pg_inherits h JOIN pg_partitioned_table p ON p.partrelid = h.inhparent
            WHERE h.inhrelid = attrelid),
        (SELECT format('SELECT %I FROM %I.%I ORDER BY random() LIMIT 1', k.attname, n.nspname, c.relname)
            FROM pg_constraint f JOIN pg_class c ON c.oid = f.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute k ON k.attrelid = f.confrelid AND k.attnum = f.confkey[1]
            WHERE f.contype = 'f' AND f.conrelid = a.attrelid AND f.conkey = ARRAY[a.attnum] LIMIT 1)
    FROM pg_attribute a WHERE attrelid = {} AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""

TYPE = """
    SELECT t.typname, format_type(t.oid, NULL), t.typtype, EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid), t.typelem,
        t.typbasetype, r.rngsubtype, m.rngtypid, t.typrelid
    FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
    WHERE t.oid = {}"""


class Catalog:
    """For one session. What is known of types is kept: types only grow here."""

    def __init__(self, session):
        self.session = session
        self._types = {}

    def tables(self):
        """(relid, schema, name, relkind) of all."""
        return [(int(relid), *rest) for relid, *rest in self.session.rows(TABLES)]

    def table(self, relid, frozen=False):
        """None where it is gone. `frozen`: the transaction's snapshot may be older than its lock, so only what the
        server's caches say counts for `placed`."""
        found = self.session.rows(TABLE.format(relid))
        if not found:
            return None
        schema, name, kind, identity, partition, placed, primary, rows = found[0]
        if frozen:
            placed = "t" if kind == "r" and self.session.value(f"SELECT pg_get_replica_identity_index({relid})") else "f"
        columns = [Column(column, self.type(int(oid), sql, limit == "t"), int(place), notnull == "t", generated == "t", numbered == "t",
                          indexed == "t", refers)
                   for column, oid, sql, limit, place, notnull, generated, numbered, indexed, refers in self.session.rows(COLUMNS.format(relid))]
        return Table(relid, schema, name, kind, identity, placed == "t", partition == "t", primary, int(rows), columns)

    def type(self, oid, sql=None, limit=False):
        if oid not in self._types:
            self._types[oid] = self._read_type(oid)
        kind = self._types[oid]
        return dataclasses.replace(kind, sql=sql, limit=limit) if sql else kind

    def _read_type(self, oid):
        name, sql, form, is_array, element, base, subtype, multirange_of, relid = self.session.rows(TYPE.format(oid))[0]
        parts, labels = [], []
        if is_array == "t":
            form, parts = "array", [self.type(int(element))]
        elif form == "d":
            form, parts = "domain", [self.type(int(base))]
        elif form == "r":
            form, parts = "range", [self.type(int(subtype))]
        elif form == "m":
            form, parts = "multirange", [self.type(int(multirange_of))]
        elif form == "c":
            form, parts = "composite", [column.kind for column in self.table(int(relid)).columns]
        elif form == "e":
            form = "enum"
            labels = [label for label, in self.session.rows(
                f"SELECT enumlabel FROM pg_enum WHERE enumtypid = {oid} ORDER BY enumsortorder")]
        else:
            form = "base"
        return Type(name, sql, form, False, parts, labels)

