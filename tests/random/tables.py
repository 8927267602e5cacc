"""Random schemas: types, tables of all kinds of keys, partitions. Everything is
a list of statements, so that it can run at once or in the midst of traffic."""
import names
from pq import quoted

EXTENSIONS = ["hstore", "citext", "ltree", "cube", "seg", "isn", "lo", "intarray"]

SCALARS = """
    bool int2 int4 int8 oid xid xid8 cid tid pg_lsn pg_snapshot txid_snapshot oidvector int2vector numeric numeric(20,4)
    float4 float8 money text varchar varchar(12) char(7) name "char" refcursor bytea uuid date time time(2) timetz
    timestamp timestamp(3) timestamptz interval inet cidr macaddr macaddr8 bit(9) varbit json jsonb jsonpath xml tsvector
    tsquery point line lseg box path polygon circle regclass regtype regproc regprocedure regoperator regnamespace
    regrole regconfig regdictionary regcollation aclitem int4range int8range numrange tsrange tstzrange daterange
    int4multirange nummultirange datemultirange tstzmultirange""".split()
CONTRIB = "hstore citext ltree lquery ltxtquery cube seg isbn ean13 issn lo".split()
OURS = ["mood", "odd.\"ty'pe\"", "pair", "nested", "short_text", "some_numbers", "positive", "floatrange"]
ARRAYS = ["int4[]", "text[]", "bool[]", "float8[]", "numeric[]", "timestamptz[]", "bytea[]", "jsonb[]", "uuid[]", "point[]",
          "varchar(5)[]", "int4range[]", "mood[]", "pair[]", "citext[]", "hstore[]", "inet[]", "interval[]"]
# With many different values and an order.
KEYS = ["int8", "int4", "int4", "text", "uuid", "numeric", "float8", "timestamptz", "timestamp", "date", "bytea", "varchar(30)",
        "name", "inet", "interval", "jsonb", "int4[]", "text[]", "int4range", "citext", "pair", "varbit", "money", "oid",
        "macaddr", "char(20)", "numrange", "time", "short_text", "tsvector", "ltree"]

# Tables that mirrors follow by name begin so.
KEEPS_NAME = "kept"


def types():
    """What later tables are made of."""
    return [f"CREATE EXTENSION {quoted(name)}" for name in EXTENSIONS] + [
        "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'it''s', 'a\\b', 'ta\tb', '')",
        "CREATE SCHEMA odd",
        "CREATE TYPE odd.\"ty'pe\" AS ENUM ('ä', 'é', ',', '\"')",
        "CREATE TYPE pair AS (a int, \"b c\" text)",
        "CREATE TYPE nested AS (one pair, many pair[], feeling mood, at timestamptz, raw bytea, flag bool)",
        "CREATE DOMAIN short_text AS text CHECK (length(VALUE) < 1000000)",
        "CREATE DOMAIN some_numbers AS int4[]",
        "CREATE DOMAIN positive AS float8",
        "CREATE TYPE floatrange AS RANGE (subtype = float8)"]


def column_type(random):
    return random.choice(random.choice((SCALARS, SCALARS, SCALARS, CONTRIB, OURS, ARRAYS)))


def more_schemas(random):
    """The names of two more schemas."""
    return ["app", names.fresh(random, {"public", "app", "odd"}, "schema")]


class Maker:
    """Makes tables in `schemas`; remembers no more than the names that it gave."""

    def __init__(self, random, schemas):
        self.random = random
        self.schemas = schemas
        self.given = {schema: set() for schema in schemas}

    def kept(self, name):
        """One of schema public that is never renamed or dropped."""
        return self._plain(quoted(name), "public")

    def table(self):
        """A new table's statements."""
        random = self.random
        schema = random.choice(self.schemas)
        # The same name in two schemas now and then.
        others = sorted(set().union(*self.given.values()) - self.given[schema])
        name = random.choice(others) if others and random.random() < 0.2 else names.fresh(random, self.given[schema], "t")
        self.given[schema].add(name)
        return random.choice((self._plain, self._plain, self._plain, self._partitioned))(f"{quoted(schema)}.{quoted(name)}", schema)

    def _columns(self, key_types, more):
        """Key columns (not null) and others, in any order: (name, SQL), and the key's names."""
        random, taken, key, columns = self.random, set(), [], []
        for kind in key_types:
            name = names.fresh(random, taken, "k")
            taken.add(name)
            key.append(name)
            columns.append(f"{quoted(name)} {kind} NOT NULL")
        for _ in range(more):
            name = names.fresh(random, taken, "c")
            taken.add(name)
            columns.append(f"{quoted(name)} {column_type(random)}")
        random.shuffle(columns)
        return columns, key

    def _plain(self, table, _schema):
        random = self.random
        kind = random.choice(("primary", "primary", "primary", "composite", "index", "full", "full with key", "none", "nothing"))
        width = random.choice((0, 1, 3, 6, 12)) if random.random() < 0.9 else 60
        key_types = [random.choice(KEYS) for _ in range({"composite": random.randint(2, 3), "none": 0, "full": 0}.get(kind, 1))]
        columns, key = self._columns(key_types, max(width, 1) if not key_types else width)
        listed = ", ".join(map(quoted, key))
        if random.random() < 0.15:
            columns.append(f"\"gen#1\" text GENERATED ALWAYS AS ('g' || {random.randint(1, 9)}) STORED")
        if kind in ("primary", "composite", "full with key"):
            columns.append(f"PRIMARY KEY ({listed})")
        made = [f"CREATE TABLE {table} ({', '.join(columns)})"]
        if kind == "index":
            made += [f"CREATE UNIQUE INDEX \"index of {random.getrandbits(40)}\" ON {table} ({listed})"]
            made += [f"ALTER TABLE {table} REPLICA IDENTITY USING INDEX {quoted(made[-1].split(chr(34))[1])}"]
        if kind.startswith("full"):
            made += [f"ALTER TABLE {table} REPLICA IDENTITY FULL"]
        if kind == "nothing":
            made += [f"ALTER TABLE {table} REPLICA IDENTITY NOTHING"]
        return made

    def _partitioned(self, table, schema):
        random = self.random
        columns, _ = self._columns([], random.randint(0, 5))
        keyed = random.random() < 0.7
        columns = ["part int4 NOT NULL", "id int8 NOT NULL", *columns, *(["PRIMARY KEY (part, id)"] if keyed else [])]
        how, bounds = random.choice((
            ("RANGE (part)", ["FOR VALUES FROM (MINVALUE) TO (0)", "FOR VALUES FROM (0) TO (500)", "FOR VALUES FROM (500) TO (MAXVALUE)"]),
            ("LIST (part)", ["FOR VALUES IN (0, 1)", "FOR VALUES IN (-1)", "DEFAULT"]),
            ("HASH (part)", [f"FOR VALUES WITH (MODULUS 3, REMAINDER {i})" for i in range(3)])))
        made = [f"CREATE TABLE {table} ({', '.join(columns)}) PARTITION BY {how}"]
        for bound in bounds:
            name = names.fresh(random, self.given[schema], "p")
            self.given[schema].add(name)
            leaf = f"{quoted(schema)}.{quoted(name)}"
            made += [f"CREATE TABLE {leaf} PARTITION OF {table} {bound}"]
            if not keyed or random.random() < 0.3:
                made += [f"ALTER TABLE {leaf} REPLICA IDENTITY FULL"]
        return made


def family(random):
    """Two tables with a foreign key, for CASCADE."""
    names_of = "parent", "child's \"table\""
    parent, child = map(quoted, names_of)
    return [f"CREATE TABLE {parent} (id int4 PRIMARY KEY, note text)",
            f"CREATE TABLE {child} (id int8 PRIMARY KEY, parent int4 REFERENCES {parent} "
            f"ON DELETE {random.choice(('CASCADE', 'SET NULL'))} ON UPDATE CASCADE, note text)"]

