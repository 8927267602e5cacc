#!/usr/bin/env python3
"""A snapshot made by hand.

snapshot.py STORE POSITION GENERATION [TABLE...]    below STORE/snapshots; without tables, of all

Each table has one definition and three rows; nothing overlaps.
"""
import os
import sys

sys.dont_write_bytecode = True
from stream import crc32c  # noqa: E402

store, position, generation, narrowed = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
names = narrowed or ["sales.zzz", "zzz"]
folder = f"{store}/snapshots/{position}"
os.makedirs(f"{folder}.new/tables")
manifest = f"snapshot\t{position}\tlsn\t0/1000\tvisible\t745:745:\ttables\t{','.join(narrowed) or chr(92) + 'N'}"
manifest += f"\tsystem\t7123\ttimeline\t1\tdatabase\tapp\tslot\tdaystream\tgeneration\t{generation}\n"
for name in names:
    schema = f"_schema\t{name.split('.')[0]}\t" if "." in name else ""
    table = f"{schema}_table\t{name.split('.')[-1]}\t"
    text = f"{table}_relid\t1\t_key\ta\t_action\tschema\ta\tnumber\\t1\\ttype\\ttext\n"
    for value in "fox61", "hen62", "\\N":
        text += f"{table}_action\tinsert\ta\t{value}\n"
    with open(f"{folder}.new/tables/{name}", "w", encoding="utf-8") as file:
        file.write(text)
    manifest += f"table\t{name}\trows\t3\tbytes\t{len(text)}\tcrc\t{crc32c(0, text.encode()):08x}\n"
with open(f"{folder}.new/overlap", "w", encoding="utf-8"):
    pass
manifest += "overlap\t0\tcrc\t00000000\n"
manifest += f"end\t{len(names)}\tcrc\t{crc32c(0, manifest.encode()):08x}\n"
with open(f"{folder}.new/manifest", "w", encoding="utf-8") as file:
    file.write(manifest)
os.rename(f"{folder}.new", folder)
