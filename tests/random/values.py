"""A random value for every type: as the text that the type's input function
reads (BASE, by pg_type.typname), or as an SQL expression (expression), which
also knows arrays, composites, domains, enums, ranges and multiranges.

`short` asks for what fits an index.
"""
import json
import math
import struct

from pq import literal

WORDS = ["fox", "hen", "it's", "naïve", "Ärger", "𝔘nicode", "a\\b", "tab\there", "new\nline", "x" * 40, "ﬁ", "42", "\u200b", "Z"]


def number(r, bits):
    """An integer of that many bits, the extremes included."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    return r.choice((low, high, 0, -1, 1, r.randint(low, high), r.randint(low, high), r.randint(-1000, 1000)))


def text(r, short=True):
    size = r.random()
    if size < 0.1:
        return ""
    if size < 0.6 or (short and size < 0.9):
        return " ".join(r.choice(WORDS) for _ in range(r.randint(1, 5)))
    if short or size < 0.8:
        return "".join(_char(r) for _ in range(r.randint(1, 60)))
    if size < 0.92: # shrinks, and may leave the row or stay
        return r.choice(WORDS) * r.randint(10, 4000)
    return "".join(chr(r.randint(33, 0x2fff)) for _ in range(r.randint(800, 6000))) # does not shrink: TOAST


def _char(r):
    low, high = r.choice(((1, 127), (1, 127), (0x80, 0xd7ff), (0xe000, 0xffff), (0x10000, 0x10ffff)))
    return chr(r.randint(low, high))


def numeric(r, short):
    kind = r.random()
    if kind < 0.1:
        return r.choice(("NaN", "Infinity", "-Infinity", "0", "-0.000", "1e-300", "1.10", "1.1"))
    if kind < 0.2 and not short:
        return f"{r.choice('-+')}{r.getrandbits(3300)}.{r.getrandbits(300)}"
    return f"{r.randint(-10**r.randint(1, 20), 10**12)}.{r.randint(0, 10**r.randint(1, 9))}{'0' * r.randint(0, 3)}"


def real(r, pack, digits):
    special = ("NaN", "Infinity", "-Infinity", "-0", "0", "1", "0.1", "1e22", "123456789")
    if r.random() < 0.3:
        return r.choice(special)
    while True: # any bits at all, denormals too
        value = struct.unpack(pack, r.randbytes(digits))[0]
        if not math.isnan(value) and not math.isinf(value):
            return repr(value)


def day(r):
    if r.random() < 0.1:
        return f"{r.randint(1, 4712):04}-{r.randint(1, 12):02}-{r.randint(1, 28):02} BC"
    year = r.randint(1, 9999) if r.random() < 0.3 else r.randint(1960, 2040)
    return f"{year:04}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"


def clock(r):
    if r.random() < 0.1:
        return r.choice(("24:00:00", "00:00:00", "23:59:59.999999"))
    return f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}" + (f".{r.randint(0, 999999):06}" if r.random() < 0.5 else "")


def zone(r):
    return r.choice(("+00", "-12:30", "+14", "+05:45", "-03"))


def moment(r, with_zone):
    if r.random() < 0.08:
        return r.choice(("infinity", "-infinity", "epoch", "294276-12-30 09:59:59.999999"))
    date = day(r)
    era = " BC" if date.endswith("BC") else ""
    return f"{date.removesuffix(' BC')} {clock(r)}{zone(r) if with_zone else ''}{era}"


def date(r):
    return r.choice(("infinity", "-infinity", "5874897-12-31", "4713-11-24 BC")) if r.random() < 0.08 else day(r)


def interval(r):
    return (f"{r.randint(-2000, 2000)} years {r.randint(-20, 20)} mons {r.randint(-400, 400)} days "
            f"{r.choice('+-')}{r.randint(0, 99)}:{r.randint(0, 59):02}:{r.randint(0, 59):02}.{r.randint(0, 999999):06}")


def point(r):
    return f"({real(r, '<f', 4)},{r.randint(-1000, 1000)}.{r.randint(0, 999)})" if r.random() < 0.3 else f"({r.randint(-99, 99)}.5,{r.randint(-99, 99)})"


def points(r, least=1):
    return ",".join(point(r) for _ in range(r.randint(least, 6)))


def tree(r, depth=0):
    kind = r.random()
    if depth < 4 and kind < 0.25:
        return {text(r).replace("\0", ""): tree(r, depth + 1) for _ in range(r.randint(0, 4))}
    if depth < 4 and kind < 0.45:
        return [tree(r, depth + 1) for _ in range(r.randint(0, 4))]
    return r.choice((None, True, False, number(r, 64), r.random() * 1e9, 1e100, text(r), ""))


def document(r):
    spaced = {"separators": r.choice(((",", ":"), (", ", ": "))), "ensure_ascii": r.random() < 0.5}
    return json.dumps(tree(r), **spaced)


def lexeme(r):
    return "'" + r.choice(WORDS).replace("\\", "\\\\").replace("'", "''") + "'"


def vector(r):
    return " ".join(lexeme(r) + (f":{r.randint(1, 500)}{r.choice('ABCD')}" if r.random() < 0.5 else "") for _ in range(r.randint(0, 9)))


def query(r, depth=0):
    if depth > 2 or r.random() < 0.4:
        return ("!" if r.random() < 0.2 else "") + lexeme(r) + r.choice(("", ":*", ":AB"))
    return f"({query(r, depth + 1)} {r.choice(('&', '|', '<->', '<3>'))} {query(r, depth + 1)})"


def address(r, net=False):
    if r.random() < 0.5:
        bits, size = r.choice((8, 16, 24, 32)), 32
        value = r.getrandbits(32) >> size - bits << size - bits
        body = ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
    else:
        bits, size = r.choice((16, 64, 128)), 128
        value = r.getrandbits(128) >> size - bits << size - bits
        body = ":".join(f"{value >> shift & 0xffff:x}" for shift in range(112, -1, -16))
    return f"{body}/{bits}" if net or bits < size or r.random() < 0.3 else body


def bits(r, least=0):
    return "".join(r.choice("01") for _ in range(r.randint(least, 70)))


def markup(r):
    inner = text(r)
    inner = "".join(c for c in inner if c >= " " and c not in "<&]\x7f" and not "\ufffe" <= c <= "\uffff")
    return r.choice((f"<a b=\"1\">{inner}</a>", f"<a/><b>{inner}</b>", f"<!-- note --><a>&lt;&amp;{inner}</a>", f"<a><![CDATA[{inner}]]></a>"))


def key_values(r):
    def mark(word):
        return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return ", ".join(f"{mark(text(r))}=>{mark(text(r)) if r.random() < 0.8 else 'NULL'}" for _ in range(r.randint(0, 5)))


def label(r):
    return "".join(r.choice("abcXYZ019_") for _ in range(r.randint(1, 9)))


def coordinates(r):
    return "(" + ",".join(str(r.randint(-99, 99) / 4) for _ in range(3)) + ")"


# pg_type.typname -> (random, short) -> text
BASE = {
    "bool": lambda r, short: r.choice("tf"),
    "int2": lambda r, short: str(number(r, 16)),
    "int4": lambda r, short: str(number(r, 32)),
    "int8": lambda r, short: str(number(r, 64)),
    "oid": lambda r, short: str(r.choice((0, 2**32 - 1, r.getrandbits(32)))),
    "xid": lambda r, short: str(r.getrandbits(32)),
    "xid8": lambda r, short: str(r.getrandbits(r.choice((8, 64)))),
    "cid": lambda r, short: str(r.getrandbits(32)),
    "tid": lambda r, short: f"({r.getrandbits(32)},{r.getrandbits(16)})",
    "pg_lsn": lambda r, short: f"{r.getrandbits(32):X}/{r.getrandbits(32):X}",
    "pg_snapshot": lambda r, short: "10:20:10,14,15",
    "txid_snapshot": lambda r, short: "10:20:12",
    "oidvector": lambda r, short: " ".join(str(r.getrandbits(32)) for _ in range(r.randint(0, 4))),
    "int2vector": lambda r, short: " ".join(str(number(r, 16)) for _ in range(r.randint(0, 4))),
    "numeric": numeric,
    "float4": lambda r, short: real(r, "<f", 4),
    "float8": lambda r, short: real(r, "<d", 8),
    "money": lambda r, short: f"{number(r, 50)}.{r.randint(0, 99):02}",
    "text": text, "varchar": text, "bpchar": text, "citext": text,
    "name": lambda r, short: text(r).encode()[:63].decode(errors="ignore"),
    "char": lambda r, short: r.choice(("", "a", "\\", "'", "~", "\t")),
    "refcursor": text,
    "bytea": lambda r, short: "\\x" + r.randbytes(r.choice((0, 1, 9, 60) if short else (0, 5, 300, 9000))).hex(),
    "uuid": lambda r, short: f"{r.getrandbits(128):032x}",
    "date": lambda r, short: date(r),
    "time": lambda r, short: clock(r),
    "timetz": lambda r, short: clock(r) + zone(r),
    "timestamp": lambda r, short: moment(r, False),
    "timestamptz": lambda r, short: moment(r, True),
    "interval": lambda r, short: interval(r),
    "inet": lambda r, short: address(r),
    "cidr": lambda r, short: address(r, net=True),
    "macaddr": lambda r, short: ":".join(f"{b:02x}" for b in r.randbytes(6)),
    "macaddr8": lambda r, short: ":".join(f"{b:02x}" for b in r.randbytes(8)),
    "bit": lambda r, short: bits(r), "varbit": lambda r, short: bits(r),
    "json": lambda r, short: document(r), "jsonb": lambda r, short: document(r),
    "jsonpath": lambda r, short: r.choice(("$", "$.a[*] ? (@ > 1)", '$."q\\"uote".size()', "strict $.** ? (@ like_regex \"^a\")")),
    "xml": lambda r, short: markup(r),
    "tsvector": lambda r, short: vector(r), "tsquery": lambda r, short: query(r),
    "point": lambda r, short: point(r),
    "line": lambda r, short: f"{{{r.randint(1, 9)},{r.randint(-9, 9)},{r.randint(-99, 99)}.25}}",
    "lseg": lambda r, short: f"[{point(r)},{point(r)}]",
    "box": lambda r, short: f"{point(r)},{point(r)}",
    "path": lambda r, short: r.choice(("[%s]", "(%s)")) % points(r),
    "polygon": lambda r, short: f"({points(r, 3)})",
    "circle": lambda r, short: f"<{point(r)},{r.randint(0, 99)}.125>",
    "regclass": lambda r, short: r.choice(("pg_class", "pg_catalog.pg_type", "0")),
    "regtype": lambda r, short: r.choice(("integer", "timestamp with time zone", "text[]", "-")),
    "regproc": lambda r, short: r.choice(("now", "pg_sleep")),
    "regprocedure": lambda r, short: r.choice(("abs(integer)", "now()")),
    "regoperator": lambda r, short: r.choice(("+(integer,integer)", "~(text,text)")),
    "regnamespace": lambda r, short: "pg_catalog",
    "regrole": lambda r, short: r.choice(("postgres", "pg_monitor")),
    "regconfig": lambda r, short: r.choice(("english", "simple")),
    "regdictionary": lambda r, short: "simple",
    "regcollation": lambda r, short: '"C"',
    "aclitem": lambda r, short: r.choice(("postgres=r/postgres", "=rw*/postgres")),
    # contrib
    "hstore": lambda r, short: key_values(r),
    "ltree": lambda r, short: ".".join(label(r) for _ in range(r.randint(0, 5))),
    "lquery": lambda r, short: r.choice(("*.a.*", "!b.c{1,3}", "a|b.*{2}")),
    "ltxtquery": lambda r, short: r.choice(("a & b*", "!c | d@")),
    "cube": lambda r, short: r.choice((coordinates(r), f"{coordinates(r)},{coordinates(r)}")),
    "seg": lambda r, short: r.choice(("1.50", "5.0(+-)0.3", "1e3 .. 2e3", "<0.1", "~6.7", "3 ..")),
    "isbn": lambda r, short: r.choice(("978-0-393-04002-9", "0-901690-54-6")),
    "ean13": lambda r, short: "978-0-11-000222-4",
    "issn": lambda r, short: "1436-4522",
    "lo": lambda r, short: str(r.getrandbits(32)),
}


def expression(r, kind, short=False, depth=0):
    """`kind` is a catalog.Type; the result is of that type."""
    if r.random() < (0.12 if depth else 0.0):
        return "NULL"
    return f"{_body(r, kind, short, depth)}::{kind.sql}"


def _body(r, kind, short, depth):
    if kind.form == "array":
        return _array(r, kind, short, depth)
    if kind.form == "domain":
        return expression(r, kind.parts[0], short, depth) if depth < 9 else "NULL"
    if kind.form == "composite":
        return "ROW(" + ", ".join(expression(r, part, short, depth + 1) for part in kind.parts) + ")"
    if kind.form == "enum":
        return literal(r.choice(kind.labels))
    if kind.form == "range":
        return _range(r, kind)
    if kind.form == "multirange":
        return f"{kind.sql}(" + ", ".join(_range(r, kind.parts[0]) for _ in range(r.randint(0, 3))) + ")"
    if kind.name in ("varchar", "bpchar", "bit", "numeric") and kind.limit:
        short = True
    value = BASE[kind.name](r, short)
    if kind.name == "numeric" and kind.limit: # NaN is allowed, infinity is not
        value = r.choice(("NaN", str(r.randint(-9999, 9999) / 8)))
    return literal(value)


def _array(r, kind, short, depth):
    part = kind.parts[0]
    if part.name == "int4" and r.random() < 0.2:
        return "'[-2:0]={1,NULL,3}'"
    if r.random() < 0.15:
        return "'{}'"
    def row():
        return ", ".join(expression(r, part, short or depth > 0, depth + 1) for _ in range(2))
    if r.random() < 0.2:
        return f"ARRAY[[{row()}], [{row()}]]"
    return f"ARRAY[{row()}]"


def _range(r, kind):
    """Through the type's own constructor, the lower bound first."""
    part = kind.parts[0]
    if r.random() < 0.15:
        return f"'empty'::{kind.sql}"
    low, high = (expression(r, part, True, 0) if r.random() < 0.85 else f"NULL::{part.sql}" for _ in range(2))
    if "NULL" in (low[:4], high[:4]):
        return f"{kind.sql}({low}, {high}, '[)')"
    return f"{kind.sql}(least({low}, {high}), greatest({low}, {high}), '[)')"

