#!/bin/bash
# Every type that a column can have, with its hard values, all kinds of names and sizes: what SQLite holds is
# what docs/TYPES.md says.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

verified() { # SENTENCE [OPTIONS]
	local sentence=$1
	shift
	exits "$sentence" 0 deltamirror --verify "$conninfo" "$mirror" --wait 5 "$@"
}

server_up
check "there are tables of all types" psql -Xq -v ON_ERROR_STOP=1 -f "$root/tests/flow/types.sql"
is "with values for each" "$(sql "SELECT string_agg(type, ' ') FROM types_without_sample")" ""
stream_up
sql "SELECT fill_types()" >/dev/null
mirror_once
verified "what was inserted is equal"
sql "SELECT change_types()" >/dev/null
mirror_once
verified "and after updates and deletes of all of it"
equal_tables "so says a comparison that shares nothing with it"

# The mirror's name of each column, its type as docs/TYPES.md calls it, and what kind of type it is.
sql "SELECT c.relname, attname, format_type(b.oid, NULL), CASE WHEN b.typelem <> 0 AND b.typsubscript = 'array_subscript_handler'::regproc AND b.typlen = -1
		AND b.typname !~ '^(int2|oid)vector$' THEN 'any array' WHEN b.typtype IN ('r', 'm') THEN 'any range or multirange' WHEN b.typtype = 'e' THEN 'any enum'
		WHEN b.typtype = 'c' THEN 'any composite' ELSE '' END
	FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 JOIN pg_type t ON t.oid = atttypid
	CROSS JOIN LATERAL (WITH RECURSIVE below AS (SELECT t.oid UNION ALL SELECT typbasetype FROM below JOIN pg_type d ON d.oid = below.oid WHERE typtype = 'd')
		SELECT p.* FROM below JOIN pg_type p USING (oid) WHERE typtype <> 'd') b
	WHERE c.relname ~ '^types_[0-9]+\$'" >"$work/columns"
cat >"$work/check.py" <<'PYTHON'
import re, sqlite3, sys
document, columns, path = sys.argv[1:]
rules = {}
for line in open(document, encoding="utf-8"):
    cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    if line.startswith("| ") and len(cells) == 4 and cells[0] not in ("PostgreSQL", "---"):
        rule = (cells[1].strip("`").replace("nothing", ""), set(re.findall(r"\w+", cells[2])) | {"null"})
        for name in re.findall(r"`([^`]+)`", cells[0]) or [cells[0]]:
            rules[name] = rule
db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
count, seen = 0, set()
for line in open(columns, encoding="utf-8"):
    table, column, kind, group = line.rstrip("\n").split("\t")
    declared, allowed = rules.get(kind) or rules.get(group) or (None, None)
    if declared is None:
        print(f"docs/TYPES.md says nothing of {kind}")
        continue
    quoted = '"' + column.replace('"', '""') + '"'
    got = [row[2] for row in db.execute(f'PRAGMA table_info("{table}")') if row[1] == column]
    kinds = {row[0] for row in db.execute(f'SELECT DISTINCT typeof({quoted}) FROM "{table}"')}
    if got != [declared] or not kinds <= allowed or (kinds == {"null"} and "text" in allowed):
        print(f"{table}.{column} ({kind}): declared {got}, holds {kinds}")
    count += 1
    seen.add(kind)
unseen = set(rules) - seen - {"any array", "any range or multirange", "any enum", "any composite", "any other", "numeric"}
if unseen:
    print("never seen:", *sorted(unseen))
print(count > 500 and "all")
PYTHON
is "docs/TYPES.md says what SQLite holds of each" "$(python3 "$work/check.py" "$root/docs/TYPES.md" "$work/columns" "$mirror")" all

# ---- names

python3 - >"$work/names.sql" <<'PYTHON'
names = ['quo"te', "apo'strophe", "tab\tulator", "new\nline", "per%cent %s %2F", "sla/sh", "do.t", "com,ma", "back\\slash", "-dash", " ",
         "n" * 63, "ü" * 31, "名前", "😀", "select", "table", "index", "order", "rowid", "_rowid_", "oid", "Case", "case", "CASE", "sqlite_x", "sqlite_master",
         "_daystream", "_daystream_tables", "_action", "_c", "_s", "_table", "_xid", "_key", "_schema", "*", "a#1", "\x01\x7f", "\\N", "k;--", "[x]", "`y`"]
quoted = lambda name: '"' + name.replace('"', '""') + '"'
print('CREATE SCHEMA "o.ther"; CREATE SCHEMA s2; CREATE SCHEMA "S2";')
for schema in ("public", '"o.ther"', "s2", '"S2"'):
    for name in names:
        t = schema + "." + quoted(name)
        print(f"CREATE TABLE {t} ({quoted(name)} int PRIMARY KEY, v text); INSERT INTO {t} VALUES (1, E'x'), (2, NULL); "
              f"UPDATE {t} SET {quoted(name)} = 3 WHERE {quoted(name)} = 1; DELETE FROM {t} WHERE v IS NULL; INSERT INTO {t} VALUES (4, '');")
for key in ("PRIMARY KEY", ""):
    t = "columns" + key[:1]
    print(f"CREATE TABLE {t} (" + ", ".join(f"{quoted(n)} text" for n in names) + f", id int {key});")
    if not key:
        print(f"ALTER TABLE {t} REPLICA IDENTITY FULL;")
    for i in range(3):
        print(f"INSERT INTO {t} SELECT " + ", ".join(f"'{i} {j}'" for j in range(len(names))) + f", {i};")
    print(f"UPDATE {t} SET " + ", ".join(f"{quoted(n)} = NULL" for n in names[::2]) + " WHERE id = 1; DELETE FROM " + t + " WHERE id = 2;")
PYTHON
check "tables and columns may have any name" psql -Xq -v ON_ERROR_STOP=1 -f "$work/names.sql"
mirror_once
output=$(deltamirror --verify "$conninfo" "$mirror" --wait 5 2>&1) || true
is "and are all equal" "$(grep -vP '\tequal\t' <<<"$output" | grep -v 'comparing:')" $'table\tresult\trows\tmissing\textra\tdiffering\tnote'
is "each one of them" "$(grep -cP '\tequal\t[1-9]' <<<"$output")" "$(sql "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relpersistence = 'p'
	AND relnamespace::regnamespace::text !~ '^(pg_|information_schema|daystream)'")"

# ---- sizes

sql "CREATE TABLE wide ($(for ((i = 1; i <= 1600; i++)); do printf 'c%d int%s' "$i" "$( ((i < 1600)) && echo ,)"; done))"
sql "ALTER TABLE wide ADD PRIMARY KEY (c1600); CREATE TABLE wide_loose (LIKE wide); ALTER TABLE wide_loose REPLICA IDENTITY FULL"
for table in wide wide_loose; do
	sql "INSERT INTO $table (c1, c800, c1600) VALUES (1, 2, 3), (4, NULL, 6), (7, 8, 9)"
	sql "UPDATE $table SET c1599 = 5 WHERE c1 = 1; DELETE FROM $table WHERE c1 = 4; UPDATE $table SET c1600 = 10 WHERE c1 = 7"
done
sql "CREATE TABLE large (id int PRIMARY KEY, t text, b bytea)"
sql "INSERT INTO large SELECT 1, repeat(E'a\\tb\\\\c\\u00e4\\n', 25000000), NULL"
sql "INSERT INTO large SELECT 2, '', decode(repeat('00ff5c0a61', 20000000), 'hex')"
sql "UPDATE large SET id = id + 10"
mirror_once 300
is "200 MB of text and 100 MB of bytes arrive" "$(sqlite3 "$mirror" "SELECT id, length(CAST(t AS BLOB)), length(b), typeof(b) FROM large ORDER BY id" | xargs)" \
	"11|200000000||null 12|0|100000000|blob"
verified "and are equal, as are rows of 1,600 columns" --tables=large,wide,wide_loose
sqlite3 "$mirror" "UPDATE large SET t = t || 'x' WHERE id = 11; UPDATE large SET b = substr(b, 2) WHERE id = 12; DELETE FROM wide_loose WHERE c1 = 1"
like "a byte in 200 MB is found" "$(deltamirror --verify "$conninfo" "$mirror" --tables=large,wide_loose --wait 1 2>/dev/null)" \
	$'^\tdiffering\tid=11\tt$' $'^\tdiffering\tid=12\tb$' $'^wide_loose\tDIFFERENT\t2\t1\t0'
plan
