"""Random spellings of times, right and wrong ones: moments.py SEED COUNT."""
import random
import sys

r = random.Random(int(sys.argv[1]))
MONTHS = "jan January feb Mar April may June jul Aug sept SEP October nov December".split()
DAYS = "Mon tuesday Wed thur Fri saturday sun".split()
ZONES = ("UTC Z z GMT zulu CET PST Europe/Berlin America/New_York america/new_york Etc/GMT+5 UTC+2 EST5EDT "
         "Asia/Kolkata US/Eastern right/UTC Foo/Bar").split()
ODD = "BC AD now epoch on at T dst mon , / - infinity allballs am d y".split()


def date():
    y = r.choice("2026 2026 2026 1999 2024 2000 1970 99 5 12026 0026 70 69 026".split())
    m = r.choice("1 01 12 11 9 2 02 13 0 00 31".split())
    d = r.choice("1 01 31 30 29 28 21 12 13 32 0 021".split())
    name, s = r.choice(MONTHS), r.choice("--/.")
    if r.random() < .02:
        name += r.choice(MONTHS)
    return r.choice([
        f"{y}{s}{m}{s}{d}", f"{m}{s}{d}{s}{y}", f"{d}{s}{m}{s}{y}", f"{y}{s}{name}{s}{d}", f"{d}{s}{name}{s}{y}",
        f"{name}{s}{d}{s}{y}", f"{name} {d}, {y}", f"{d} {name} {y}", f"{name} {d} {y}", f"{y} {name} {d}",
        f"{y}{m}{d}", f"{y}-{r.choice(['001', '365', '366'])}", f"{y}.100", f"J{r.randint(2440000, 2470000)}",
        r.choice(["today", "yesterday", "tomorrow"]), f"{y}-{m}", f"{m}/{d}", f"{r.choice(DAYS)} {name} {d} {y}",
        f"{r.choice(DAYS)}, {d} {name} {y}", f"{y} {m} {d}", f"{m} {d} {y}", "20261121", "2026-11-21", "2026-03-29",
        "2026-10-25"])


def clock():
    h = r.choice("0 00 10 23 1 2 02 12 13 24 25 010".split())
    m, s = r.choice("00 30 59 5 60 61 030".split()), r.choice("00 59 30 7 60 61".split())
    f = r.choice(["", ".5", ".123456", ".0000001", ".9999999", ".999999", ",5", ".", "." + "1" * 12])
    half = r.choice(["am", "PM", "Am"])
    return r.choice([f"{h}:{m}", f"{h}:{m}:{s}", f"{h}:{m}:{s}{f}", f"{h}{m}{s}", f"{h}{m}", f"{h}:{m} {half}",
                     f"{h}:{m}:{s} {half}", f"{h}:{m}:{s}{half}", f"{h}{m}{s}{f}", f"{h} {half}", "allballs", "10:00"])


def zone():
    if r.random() < .5:
        return r.choice(ZONES)
    return r.choice("+-") + r.choice("1 01 0130 01:30 15 16 1:30 130 14:59 01:30:15 5:5 00".split())


for _ in range(int(sys.argv[2])):
    parts = [date()]
    if r.random() < .75:
        parts.append(clock())
    if r.random() < .5:
        parts.append(zone())
    if r.random() < .08:
        parts.append(r.choice(ODD))
    if r.random() < .2:
        r.shuffle(parts)
    text = parts[0]
    for part in parts[1:]:
        text += r.choice([" ", " ", " ", "T", "", "  "]) + part
    if r.random() < .1:
        text = r.choice(DAYS) + r.choice([" ", ", ", ",", ""]) + text
    print(text)
