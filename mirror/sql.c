#include "sql.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "owner.h"

/* So much free space is hardly what was lacking. */
#define ROOM_BYTES (16u << 20)

/* What is there and cannot be opened lacks what SQLite would make beside it. */
static int no_files_beside(const char *path, struct err *err)
{
	char *copy = strdup(path);
	bool writable = copy && access(path, W_OK) == 0 && access(dirname(copy), W_OK) == 0;
	int reason = writable ? ENOENT : errno;

	free(copy);
	return err_set(err, -EIO, "cannot open %s: %s (SQLite makes files beside it, also to read)", path,
	               strerror(reason));
}

/* What it sorts, and what lasts as long as a connection, SQLite keeps in files elsewhere. */
static int no_space(const char *path, struct err *err)
{
	struct statvfs disk;
	bool room = statvfs(path, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize > ROOM_BYTES;

	return err_set(err, -ENOSPC, "cannot write %s: no space is left %son its disk", path,
	               room ? "where SQLite keeps temporary files (SQLITE_TMPDIR, TMPDIR or /var/tmp), or " : "");
}

int sql_failed(sqlite3 *sqlite, int code, int system, struct err *err)
{
	const char *name = sqlite3_db_filename(sqlite, "main"), *path = name && *name ? name : "the database";

	switch (code == SQLITE_IOERR_NOMEM ? SQLITE_NOMEM : code & 0xff) {
	case SQLITE_NOMEM: return err_set(err, -ENOMEM, "out of memory for what is done to %s", path);
	case SQLITE_FULL: return no_space(path, err);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(err, -EIO, "%s is damaged (%s): remove it, and the next start builds it anew", path,
		               sqlite3_errstr(code));
	case SQLITE_READONLY: return owner_blame(path, err);
	case SQLITE_CANTOPEN:
		if (system == ENOENT && access(path, F_OK) == 0)
			return no_files_beside(path, err);
		break;
	default: break;
	}
	/* What a sync has failed to write is lost (wal.h): to wait for space and to sync again would not bring it back. */
	bool sync = code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
	if (!sync && (system == ENOSPC || system == EDQUOT))
		return err_set(err, -ENOSPC, "cannot write %s: %s", path, strerror(system));
	return err_set(err, -EIO, "cannot read or write %s: %s%s%s", path, sqlite3_errstr(code), system ? ": " : "",
	               system ? strerror(system) : "");
}

/* Why a file could not be read or written, where `number`, which the connection tells, is 0. */
static int system_errno(sqlite3 *sqlite, int number)
{
	static const int files[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};

	for (size_t i = 0; i < sizeof files / sizeof *files && number == 0; i++) {
		sqlite3_file *file = NULL;
		sqlite3_file_control(sqlite, "main", files[i], &file);
		if (file && file->pMethods)
			file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number);
	}
	return number;
}

int sql_error(sqlite3 *sqlite, const char *doing, struct err *err)
{
	int code = sqlite3_extended_errcode(sqlite);

	switch (code & 0xff) {
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		/* SQLite keeps it for itself in some cases, for instance of a COMMIT. */
		return sql_failed(sqlite, code, system_errno(sqlite, sqlite3_system_errno(sqlite)), err);
	case SQLITE_FULL:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_READONLY: return sql_failed(sqlite, code, 0, err);
	case SQLITE_OK: /* what failed was ours */
	case SQLITE_NOMEM: return err_set(err, -ENOMEM, "%s: out of memory", doing);
	case SQLITE_BUSY:
		return err_set(err, -EBUSY, "%s: %s: another program has it for itself, and fuser(1) tells which",
		               doing, sqlite3_errmsg(sqlite));
	case SQLITE_CONSTRAINT: return err_set(err, -EEXIST, "%s: %s", doing, sqlite3_errmsg(sqlite));
	case SQLITE_TOOBIG: return err_set(err, -EFBIG, "%s: %s", doing, sqlite3_errmsg(sqlite));
	/* What we made has all that our statements name. */
	case SQLITE_ERROR: return err_set(err, -ENOTSUP, "%s: %s", doing, sqlite3_errmsg(sqlite));
	default: return err_set(err, -EIO, "%s: %s", doing, sqlite3_errmsg(sqlite));
	}
}

int sql_untold(sqlite3 *sqlite, int code, struct err *err)
{
	return sql_failed(sqlite, code, (code & 0xff) == SQLITE_IOERR ? system_errno(sqlite, 0) : 0, err);
}

int sql_run(sqlite3 *sqlite, const char *sql, struct err *err)
{
	if (sqlite3_exec(sqlite, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	char doing[200];
	snprintf(doing, sizeof doing, "%s", sql); /* the reason is to have its place, too */
	return sql_error(sqlite, doing, err);
}

static int run_tolerant(sqlite3 *sqlite, const char *sql, struct err *err)
{
	int rc = sql_run(sqlite, sql, err);
	const char *why = sqlite3_errmsg(sqlite);

	/* Other errors are right, or have undone the transaction. */
	if (rc != -ENOTSUP || (strncmp(why, "error in view ", 14) != 0 && strncmp(why, "error in trigger ", 17) != 0))
		return rc;
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
	rc = sql_run(sqlite, sql, err);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
	return rc;
}

int sql_runf(sqlite3 *sqlite, struct err *err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	char *sql = sqlite3_vmprintf(fmt, args);
	va_end(args);
	if (!sql)
		return err_set(err, -ENOMEM, "out of memory for a statement");
	bool alter = strncmp(sql, "ALTER", 5) == 0;
	int rc = alter ? run_tolerant(sqlite, sql, err) : sql_run(sqlite, sql, err);
	sqlite3_free(sql);
	return rc;
}
