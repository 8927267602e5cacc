#!/usr/bin/tclsh
# talk.tcl DB LINES: a mirror as the talk "Streaming replication between database engines via Tcl" has it: each line
# split into an array, whose row goes to SQLite. The table `bench` is there; pragmas and commits as the mirror's.
package require sqlite3

proc unescape {value} {
	# As the talk says, "[subst -nocommands -novariables ...] as needed".
	if {[string first \\ $value] < 0} {return $value}
	subst -nocommands -novariables $value
}

proc statement {action columns} {
	set values [lmap column $columns {string cat {$row(} $column {)}}]
	if {$action eq "insert"} {
		return "INSERT OR REPLACE INTO bench ([join $columns ,]) VALUES ([join $values ,])"
	}
	set sets [lmap column [lrange $columns 1 end] {string cat $column { = $row(} $column {)}}]
	return "UPDATE bench SET [join $sets ,] WHERE id = \$row(id)"
}

lassign $argv path lines
sqlite3 db $path
db cache size 100
db eval {PRAGMA cache_size = -65536; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
	PRAGMA journal_size_limit = 67108864}
set columns {id a b c d e f}
array set sql [list insert [statement insert $columns] update [statement update $columns]]

set in [open $lines]
fconfigure $in -encoding utf-8 -translation lf -buffersize 1000000
set batch 0
set xid {}
db eval BEGIN
while {[gets $in line] >= 0} {
	array set row [split $line \t]
	if {![info exists sql($row(_action))]} continue
	if {$row(_xid) ne $xid && $batch >= 100000} {
		db eval {COMMIT; BEGIN}
		set batch 0
	}
	set xid $row(_xid)
	foreach column {c d e} {set row($column) [unescape $row($column)]}
	db eval $sql($row(_action))
	incr batch
}
db eval COMMIT
db close
