#!/usr/bin/python3
"""Runs a program of daystream with random arguments: it has to end by itself with status 0, 1 or 2, and say why
where that is not 0; what waits for something ends by SIGTERM.

arguments.py SEED COUNT        in the current folder, which it may litter
"""
import random
import signal
import subprocess
import sys

seed, count = int(sys.argv[1]), int(sys.argv[2])
choose = random.Random(seed)
PROGRAMS = [["daystream"], ["daystreamfs"], ["deltamirror"], ["deltamirror", "--once"], ["deltamirror", "--verify"],
            ["deltamirror", "import"], ["deltamirror", "export"]] + [
    ["daystream", command] for command in ("init", "status", "check", "drop", "snapshot")]
WORDS = [b"", b"-", b"--", b"---", b".", b"..", b"nowhere", b"nowhere/at/all", b"/dev/null", b"/dev/full", b"file", b"folder", b"store",
         b"--help", b"--version", b"--usage", b"-V", b"-?", b"-h", b"-f", b"-o", b"-oro", b"-ofoo,bar=%s", b"--tables", b"--tables=", b"--tables=a,b",
         b"--tables=,", b"--tables=a.b.c", b"--slot=x", b"--slot=X y", b"--slot", b"--conninfo", b"--conninfo=port=x", b"--conninfo==",
         b"--conninfo=host=/nowhere", b"--conninfo=\xff\xfe", b"--jobs=0", b"--jobs=-1", b"--jobs=x", b"--jobs=99999999999999999999", b"-j",
         b"--wait=1", b"--wait=x", b"--wait=-1", b"--once", b"--from", b"--from=", b"--resync", b"--resync=,", b"--numeric=x", b"--verify",
         b"--yes", b"--no-such", b"--hang=5", b"import", b"export", b"init", b"status", b"%n%s%n", b"x" * 5000, b"a\tb\nc", b"\xc3\x28", b"'\"; --",
         b"SELECT 1", b"out.sqlite", b"0", b"-1", b"1e9", b"99999999999999999999", b"dbname=x host=/nowhere", b"postgres://[::", b"@", b"*"]
failures = 0


def words():
    for _ in range(choose.randrange(6)):
        kind = choose.randrange(20)
        if kind == 0:
            yield choose.randbytes(choose.randrange(1, 40)).replace(b"\0", b"")
        elif kind == 1:
            yield choose.choice(WORDS) + choose.choice(WORDS)
        else:
            yield choose.choice(WORDS)


for _ in range(count):
    command = [*choose.choice(PROGRAMS), *words()]
    # What prints endlessly or waits for input would be found, too.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    why = None
    try:
        out, err = process.communicate(timeout=1)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            out, err = process.communicate(timeout=10)
            if process.returncode == -signal.SIGTERM:
                process.returncode = 1 # it had no handler, nor anything to lose
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            why = "SIGTERM does not end it"
    if not why and process.returncode not in (0, 1, 2):
        why = f"status {process.returncode}"
    elif not why and process.returncode and not err.strip() and not out.strip():
        why = "fails without a word"
    elif not why and (b"AddressSanitizer" in err or b"runtime error" in err):
        why = "a sanitizer's finding"
    if why:
        failures += 1
        print(f"{command}: {why}: {err[-2000:].decode(errors='replace')}")
sys.exit(failures > 0)
