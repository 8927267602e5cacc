#!/usr/bin/python3
"""render.py RESULTS.tsv FOLDER: writes FOLDER/BENCHMARKS.md and a plot for each table, FOLDER/bench/*.svg.

A result is the median of its rounds; behind it stand the lowest and the highest. What each table compares, and what it
has to reach, stands in tables.py. What stands in docs/BENCHMARKS.md from the heading "Ideas" on is written by people, and kept.
"""
import os
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
from tables import FACT, IDEAS, TABLES  # noqa: E402


class Results:
    def __init__(self, path):
        self.head, self.rounds = {}, {}
        for line in open(path, encoding="utf-8"):
            fields = line.rstrip("\n").split("\t")
            if line.startswith("# "):
                self.head[fields[0][2:]] = fields[1]
            else:
                row, case, contestant, _, figure, value = fields
                self.rounds.setdefault((row, case, contestant, figure), []).append(float(value))

    def fact(self, row, case, figure):
        """What its turns had to do; LookupError where the row broke off before it told."""
        return statistics.median(self.rounds[row, case, FACT, figure])

    def cell(self, table, place, case):
        """(median, lowest, highest) as the table shows them."""
        row, contestant, figure = place
        values = self.rounds.get((row, case, contestant, figure))
        try:
            shown = [table.shown(lambda of: self.fact(row, case, of), value) for value in values or ()]
        except LookupError:
            return None
        if not shown:
            return None
        return statistics.median(shown), min(shown), max(shown)

    def most(self, figure):
        """Of all rows: [(value, row, case)], the largest first."""
        return sorted(((max(values), row, case) for (row, case, _, of), values in self.rounds.items() if of == figure), reverse=True)


def short(value):
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def cell_text(cell):
    if cell is None:
        return "-"
    median, low, high = (short(value) for value in cell)
    return median if low == high else f"{median} ({low}-{high})"


def verdict(ratio, target, at_most):
    if ratio is None or target is None:
        return "reported"
    return "yes" if (ratio <= target if at_most else ratio >= target) else "**no**"


def plot(folder, table, lines):
    """A group of bars for each line, a bar for each column, its reach as a thin line on it."""
    rows = []
    for label, cells in lines:
        numbers = [repr(value) for cell in cells for value in (cell or (float("nan"),) * 3)]
        rows.append(" ".join([f'"{label}"'] + numbers))
    measured = [(i, column) for i, column in enumerate(table.columns) if any(cells[i] for _, cells in lines)]  # gnuplot takes no empty one
    bars = ", ".join(f'$data using {2 + 3 * i}:{3 + 3 * i}:{4 + 3 * i}:xtic(1) title "{column}"' for i, column in measured)
    data = "\n".join(rows)
    script = f"""set terminal svg size 800,360 font "sans,12" background rgb "white" noenhanced
set output "{os.path.join(folder, table.name)}.svg"
set title "{table.title}"
set ylabel "{table.unit}"
set yrange [0:*]
set style data histograms
set style histogram errorbars gap 1 linewidth 1
set style fill solid 0.7 border -1
set grid ytics
set key outside top center horizontal
$data << EOD
{data}
EOD
plot {bars}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def table_lines(results, table, folder):
    lines = [(label, [results.cell(table, place, case) for place in places], target) for label, case, places, target in table.lines]
    lines = [line for line in lines if any(line[1])]
    if not lines:
        return []
    judged = any(target is not None for _, _, target in lines)
    more = ["ratio"] if table.ratio else []
    more += ["at most" if table.at_most else "at least", "reached"] if judged else []
    text = [f"## {table.title}", "", table.text, "", f"| {table.unit} | " + " | ".join(table.columns + more) + " |",
            "| --- |" + " --- |" * (len(table.columns) + len(more))]
    for label, cells, target in lines:
        judged_cells = cells[:table.judged]
        ratio = table.ratio([cell[0] for cell in judged_cells]) if table.ratio and all(judged_cells) else None
        ends = [short(ratio)] if table.ratio else []
        ends += [short(target), verdict(ratio, target, table.at_most)] if judged else []
        text.append("| " + " | ".join([label] + [cell_text(cell) for cell in cells] + ends) + " |")
    plot(os.path.join(folder, "bench"), table, [(label, cells) for label, cells, _ in lines])
    return text + ["", f"![{table.title}](bench/{table.name}.svg)", ""]


def memory_lines(results):
    lines = ["## Memory", "",
             "The most resident memory of a program in any of the above, in MB; the mirror's has SQLite's cache of 64 MiB in it.", "",
             "| | MB | in | at most | reached |", "| --- | --- | --- | --- | --- |"]
    for name, figure, cache in (("daemon", "daemon_mb", 0), ("mirror", "mirror_mb", 64)):
        for value, row, case in results.most(figure)[:1]:
            lines.append(f"| {name} | {short(value)} | {row}, {case} | {64 + cache} | {verdict(value, 64 + cache, True)} |")
    return lines + [""]


def ideas(path):
    """What people wrote."""
    try:
        text = open(path, encoding="utf-8").read()
    except FileNotFoundError:
        return IDEAS + "\n"
    at = text.find(IDEAS)
    return text[at:] if at >= 0 else IDEAS + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: render.py RESULTS.tsv FOLDER")
    results, folder = Results(sys.argv[1]), sys.argv[2]
    os.makedirs(os.path.join(folder, "bench"), exist_ok=True)
    head = results.head
    lines = ["# Benchmarks", ""]
    if head["scale"] != "full" or head["busy"] != "0" or head["failed"]:
        lines += ["**These figures tell nothing: " + "; ".join(
            why for why, so in (("not all sizes are full", head["scale"] != "full"), ("the machine was busy", head["busy"] != "0"),
                                ("rows failed: " + head["failed"], head["failed"])) if so) + ".**", ""]
    lines += [f"By `make bench` on {head['date']} at {head['commit']}: the medians of {head['rounds']} rounds (lowest-highest), in "
              "each of which ours, the peers and the limits had their turns one after the other.", "",
              f"{head['processors']}, {head['memory']}, {head['disk']}; {head['system']}; PostgreSQL {head['postgresql']}, "
              f"SQLite {head['sqlite']}. All on this one machine, so the server, its client and the readers share its processors.", ""]
    for table in TABLES:
        lines += table_lines(results, table, folder)
    lines += memory_lines(results)
    kept = ideas(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/BENCHMARKS.md"))
    with open(os.path.join(folder, "BENCHMARKS.md"), "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n" + kept)


main()
