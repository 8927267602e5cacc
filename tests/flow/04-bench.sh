#!/bin/bash
# What a benchmark of some rows measured is rendered, also where a row broke off.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

mkdir "$work/bin"
printf '#!/bin/sh\ncat >>"%s"\n' "$work/plots" >"$work/bin/gnuplot" # which is not there everywhere
chmod +x "$work/bin/gnuplot"
PATH=$work/bin:$PATH

{
	printf '# %s\t%s\n' scale full busy 0 failed plugin date 2026-11-22 commit abc rounds 1 processors 2 memory 1 disk d system s \
		postgresql 15 sqlite 3
	printf 'ingest\tupdate\t%s\t1\t%s\t%s\n' daystreamfs seconds 2 daystreamfs daemon_mb 30 pg_recvlogical seconds 1
	printf 'ingest\tupdate\t-\t0\t%s\t%s\n' changes 100000 disk_bytes 12000000
	printf 'plugin\tupdate\tdeltaflood\t1\tseconds\t1\n' # and no facts
} >"$work/results.tsv"
check "it is rendered" "$root/tests/bench/render.py" "$work/results.tsv" "$work/out"
text=$(cat "$work/out/BENCHMARKS.md")
like "what was measured is there" "$text" "[|] one large update [|] 50\.00 [|] 100\.0 [|] - [|]"
like "with what is known of the bytes" "$text" "[|] one large update [|] 120\.0 [|] - [|] - [|] - [|] - [|]"
check "what was measured is plotted" grep -qF 'title "pg_recvlogical"' "$work/plots"
check_not "what was not is not, since gnuplot refuses that" grep -qF 'title "to a file"' "$work/plots"
check_not "a row that broke off is not, nor one that was not measured" grep -E "^## (The plugin|Followers)" "$work/out/BENCHMARKS.md"
plan
