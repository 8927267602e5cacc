/*
 * trace.h - what processes did to the files below a folder, as record.so wrote it down.
 *
 * record.so stands before libc (LD_PRELOAD) in the programs of a test and appends a record for each call that
 * changes state below RECORD_ROOT, after the call has returned, and one for what was promised to somebody else.
 * Several processes, one after the other or at once, append to one trace. It can also end the process at
 * a call, fail one, and make syncs slow:
 *
 *     RECORD_ROOT    the folder; an absolute path
 *     RECORD_TRACE   the trace; nothing is written where it is not set
 *     RECORD_STOP    n: SIGKILL before this process's n-th call; n+: in the middle of it, where it is a write
 *     RECORD_FAIL    <call>:<n>:<errno>[:<count>[:<ending>]]: this process's n-th create, write, truncate, fallocate,
 *                    rename, unlink (rmdir, too), mkdir, fsync or fdatasync, and the count - 1 after it (*: all), fail;
 *                    of files whose path ends so. For instance fdatasync:3:EIO:1:.day
 *     RECORD_SLOW    microseconds that each sync takes longer, so that what does not wait for it is seen
 *
 * A file is its inode number, so that it stays the same whatever its name; one that was there before has its
 * path, too. SQLite's -shm files are mapped, not written,
 * and nothing is lost with them: they are not in a trace.
 */
#ifndef CRASH_TRACE_H
#define CRASH_TRACE_H

#include <stdint.h>

enum trace_call {
	TRACE_START = 1, /* a process begins */
	TRACE_CREATE,    /* the file `path`, new */
	TRACE_WRITE,     /* data at `off` */
	TRACE_TRUNCATE,  /* to `off` bytes */
	TRACE_SYNC, /* fsync, fdatasync: of the file, all that stands before the byte `off` of the trace is on disk */
	TRACE_SYNC_FAILED, /* ... is in the page cache, and never comes to the disk */
	TRACE_SYNC_FOLDER, /* the same of a folder's entries */
	TRACE_RENAME,      /* `path` is `to` */
	TRACE_UNLINK,
	TRACE_MKDIR,
	TRACE_RMDIR,
	TRACE_CONFIRM, /* the server was told that all before the LSN `off` is durable */
	TRACE_NOTE,    /* the test itself says something: data, for instance "seen 1234" */
};

/* Then follow the path, the other path, the data. */
struct trace_record {
	uint32_t call;
	uint32_t path_len, to_len; /* relative to RECORD_ROOT; "." is itself */
	uint32_t pid;
	uint64_t ino, off, data_len;
};

#endif
