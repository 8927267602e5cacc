"""What daystream cat --json printed -> the lines that it was made of, on standard output.

json_back.py JSON: the lines; json_back.py --plain LINES: these lines without what --json does not tell: line breaks
within json values are spaces, and a json null is NULL. Shares nothing with daystream.
"""
import json
import re
import sys

ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
BACK = {escape: char for char, escape in ESCAPES.items()}
NUMBERS = {"smallint", "integer", "bigint", "oid", "real", "double precision", "numeric"}


def escape(text):
    return re.sub(r"[\\\t\n\r\b\f\v]", lambda m: ESCAPES[m[0]], text)


def unescape(text):
    return re.sub(r"\\.", lambda m: BACK[m[0]], text)


class Raw:
    """JSON values as the text that stands there: objects and arrays of one level, strings decoded."""
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)

    @classmethod
    def end(cls, text, at):
        while text[at] in " \t": # json from outside keeps its spaces
            at += 1
        at = cls.decoder.raw_decode(text, at)[1]
        while text[at] in " \t":
            at += 1
        return at

    @classmethod
    def members(cls, text):
        at = 1
        while text[at] != "}":
            name, at = cls.decoder.raw_decode(text, at)
            assert text[at] == ":", text[at:at + 40]
            end = cls.end(text, at + 1)
            yield name, text[at + 1:end]
            at = end + (text[end] == ",")
        assert at == len(text) - 1

    @classmethod
    def elements(cls, text):
        at = 1
        while text[at] != "]":
            end = cls.end(text, at)
            yield text[at:end]
            at = end + (text[end] == ",")
        assert at == len(text) - 1


def plain_type(column):
    name = re.sub(r"\([^)]*\)", "", column.get("base", column["type"]))
    return name.removesuffix("[]"), name.endswith("[]")


def moment(text):
    if re.match(r"\d+-\d\d-\d\dT", text):
        text = re.sub(r"\+00:00( BC)?$", r"+00\1", text.replace("T", " ", 1))
    return text


def single(kind, raw, yes, no):
    if kind in ("json", "jsonb"):
        return raw
    if kind == "boolean" and raw in ("true", "false"):
        return yes if raw == "true" else no
    if not raw.startswith('"'):
        assert kind in NUMBERS, (kind, raw)
        return raw
    text = json.loads(raw)
    return moment(text) if kind.startswith("timestamp") else text


def array(kind, raw):
    out = []
    for element in Raw.elements(raw):
        if element == "null":
            out.append("NULL")
        elif element.startswith("[") and kind not in ("json", "jsonb"):
            out.append(array(kind, element))
        else:
            text = single(kind, element, "t", "f")
            if text == "" or text.upper() == "NULL" or re.search(r'["\\{},\s]', text, re.ASCII):
                text = '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
            out.append(text)
    return "{" + ",".join(out) + "}"


def value(column, raw):
    kind, is_array = plain_type(column)
    if raw == "null":
        return "\\N"
    if is_array and raw.startswith("["):
        return escape(array(kind, raw))
    return escape(json.loads(raw) if is_array else single(kind, raw, "1", "0"))


def part(name):
    return re.sub(r"^-|[%/.,\x00-\x1f\x7f]", lambda m: f"%{ord(m[0]):02X}", name)


def key(raw):
    names = json.loads(raw)
    if names is None or names == "*":
        return "\\N" if names is None else "*"
    return escape(",".join("%2A" if name == "*" else part(name) for name in names))


def fact(name, raw):
    text = {"true": "1", "null": "\\N"}.get(raw) or escape(json.loads(raw) if raw.startswith('"') else raw)
    return escape(name) + "\t" + text


class Lines:
    def __init__(self):
        self.tables = {}

    def line(self, text):
        object = dict(Raw.members(text))
        epoch, seq = json.loads(object["position"]).split(".")
        action = json.loads(object["action"])
        pairs = [("_c", epoch), ("_s", seq)]
        table = (object.get("schema"), object.get("table"))
        if "schema" in object and json.loads(object["schema"]) != "public":
            pairs.append(("_schema", escape(json.loads(object["schema"]))))
        if "table" in object:
            pairs.append(("_table", escape(json.loads(object["table"]))))
        if "xid" in object:
            pairs.append(("_xid", object["xid"]))
        if action == "schema":
            pairs += [("_relid", object["relid"]), ("_key", key(object["key"]))]
        pairs.append(("_action", action))
        rest = "row" if action in ("insert", "update") else "old" if action in ("replace", "delete") else None
        if rest:
            pairs += [(escape(name), value(self.tables[table][name], raw)) for name, raw in Raw.members(object[rest])]
        elif action == "schema":
            columns = [dict(Raw.members(column)) for column in Raw.elements(object["columns"])]
            self.tables[table] = {json.loads(column["name"]): {name: json.loads(raw) for name, raw in column.items()}
                                  for column in columns}
            for column in columns:
                name = json.loads(column.pop("name"))
                pairs.append((escape(name), escape("\t".join(fact(*item) for item in column.items()))))
        else:
            known = ("position", "time", "schema", "table", "xid", "action")
            for name, raw in object.items():
                if name in known:
                    continue
                text = "\\N" if raw == "null" else raw if not raw.startswith('"') else escape(json.loads(raw))
                pairs.append(("time", moment(json.loads(raw))) if name == "committed" else (name, text))
        return "\t".join(field for pair in pairs for field in pair)


def plain(fields, tables):
    """json comes from outside, with line breaks and nulls of its own."""
    pairs = list(zip(fields[::2], fields[1::2]))
    head = {}
    while not head.get("_action"):
        name, text = pairs.pop(0)
        head[name] = text
    table = (head.get("_schema"), head.get("_table"))
    if head["_action"] == "schema":
        tables[table] = {name: dict(zip(*[iter(unescape(text).split("\t"))] * 2)) for name, text in pairs}
    elif head["_action"] in ("insert", "update", "replace", "delete"):
        for i, (name, text) in enumerate(pairs):
            if plain_type(tables[table][name])[0] in ("json", "jsonb") and text != "\\N":
                text = re.sub(r"[\n\r]", " ", unescape(text))
                text = re.sub(r'(?<=[{,])"null"(?=[,}])', "NULL", text) if plain_type(tables[table][name])[1] else text
                pairs[i] = (name, "\\N" if text == "null" else escape(text))
    return fields[:2 * len(head)] + [field for pair in pairs for field in pair]


def main():
    out = open(1, "w", encoding="utf-8", newline="\n", closefd=False)
    if sys.argv[1] == "--plain":
        tables = {}
        for line in open(sys.argv[2], encoding="utf-8", newline="\n"):
            print("\t".join(plain(line.rstrip("\n").split("\t"), tables)), file=out)
        return
    lines = Lines()
    for line in open(sys.argv[1], encoding="utf-8", newline="\n"):
        print(lines.line(line.rstrip("\n")), file=out)


main()
