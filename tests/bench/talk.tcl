#!/usr/bin/tclsh
# talk.tcl DB LINES: a mirror as the talk "Streaming replication between database engines via Tcl" has it: each line
# split into an array, whose row goes to SQLite, and "a timestamp updated at the end of each transaction", which is
# one of SQLite's, too. The table `bench` is there; the pragmas are the mirror's.
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

proc commit {} {
	lassign $::last c s
	db eval {INSERT OR REPLACE INTO place VALUES (1, $c, $s)}
	db eval COMMIT
}

lassign $argv path lines
sqlite3 db $path
db cache size 100
db eval {PRAGMA cache_size = -65536; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
	PRAGMA journal_size_limit = 67108864;
	CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY, c INTEGER, s INTEGER)}
set columns {id a b c d e f}
array set sql [list insert [statement insert $columns] update [statement update $columns]]

set in [open $lines]
fconfigure $in -encoding utf-8 -translation lf -buffersize 1000000
set xid {}
set last {0 0}
db eval BEGIN
while {[gets $in line] >= 0} {
	array set row [split $line \t]
	if {![info exists sql($row(_action))]} continue
	if {$row(_xid) ne $xid} {
		commit
		db eval BEGIN
	}
	set xid $row(_xid)
	set last [list $row(_c) $row(_s)]
	foreach column {c d e} {set row($column) [unescape $row($column)]}
	db eval $sql($row(_action))
}
commit
db close
