"""Names that people give to tables and columns, the odd ones first of all."""

ODD = [
    'quo"te', "apos'trophe", "tab\there", "new\nline", "per%cent", "100%25", "sl/ash", "back\\slash", "do.t", "com,ma",
    "-dash", "*", "{brace}", "a=b", "semi;colon", "$1", "?1", ":name", "@x", "#5", "sp ace", " lead", "trail ", "",
    "cr\rlf", "bell\x07", "del\x7f", "ünïcödé", "表", "🐘", "e\u0301", "\u202eright", "ß", "İ", "NULL", "null", "\\N",
    "select", "table", "index", "group", "order", "values", "default", "references", "rowid", "oid", "_rowid_", "RowId",
    "sqlite_x", "SQLITE_sequence", "sqlite_master", "_daystream", "_daystream_tables", "_daystream_new", "_daystream#1",
    "_action", "_c", "_s", "_table", "_schema", "_xid", "_relid", "_key", "number", "type", "x" * 63, "ж" * 31, "id#2",
    "xmin2", "User", "USER", "user",
]


def fresh(random, taken, stem):
    """A name that is not among `taken`: plain mostly; or odd; or another one in other letters."""
    while True:
        kind = random.random()
        if kind < 0.35:
            name = random.choice(ODD)
        elif kind < 0.45 and taken:
            name = random.choice(sorted(taken)).swapcase()
        elif kind < 0.5:
            name = stem + random.choice(ODD)
        else:
            name = f"{stem}{random.randrange(1000)}"
        name = name.encode()[:63].decode(errors="ignore")
        # PostgreSQL's system columns are taken in every table.
        if name and name not in taken and name not in ("tableoid", "xmin", "xmax", "cmin", "cmax", "ctid"):
            return name
