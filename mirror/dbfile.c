#include "dbfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "owner.h"
#include "sql.h"

static const char *const beside[] = {"-wal", "-shm", "-journal"};

static int look_inside(const char *path, sqlite3 *sqlite, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(sqlite,
	                            "SELECT count(*), coalesce(sum(type = 'table' AND name = '_daystream'), 0)"
	                            " FROM sqlite_master",
	                            -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	bool something = rc == SQLITE_ROW && sqlite3_column_int(stmt, 0) > 0;
	bool ours = rc == SQLITE_ROW && sqlite3_column_int(stmt, 1) > 0;
	sqlite3_finalize(stmt);
	if ((something && !ours) || rc == SQLITE_NOTADB)
		return err_set(err, -EEXIST,
		               "%s is %s and no mirror (it has no table _daystream): it stays untouched; "
		               "name a file that does not exist yet",
		               path, something ? "an SQLite database" : "no SQLite database");
	if (rc != SQLITE_ROW)
		return sql_error(sqlite, path, err);
	return ours;
}

/* SQLite says of a longer one that there is no such file. */
static int check_length(const char *path, struct err *err)
{
	char folder[PATH_MAX] = "";
	const sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	int most = vfs ? vfs->mxPathname - (int)strlen(beside[2]) : INT_MAX;

	if (*path != '/' && !getcwd(folder, sizeof folder))
		return err_errno(err, "the current folder");
	if ((*folder ? strlen(folder) + 1 : 0) + strlen(path) <= (size_t)most)
		return 0;
	return err_set(err, -ENAMETOOLONG, "%s%s%s: SQLite takes no name of more than %d bytes, with all its folders",
	               folder, *folder ? "/" : "", path, most);
}

int dbfile_stat(const char *path, struct stat *st, struct err *err)
{
	if (strcmp(path, ":memory:") == 0)
		return err_set(err, -EINVAL, "%s is what SQLite calls no file; for a file of that name, write ./%s",
		               path, path);
	int rc = check_length(path, err);
	if (rc < 0)
		return rc;
	if (stat(path, st) < 0)
		return err_errno(err, "cannot look at %s", path);
	if (!S_ISREG(st->st_mode))
		return err_set(err, S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL, "%s is %s; name another one", path,
		               S_ISDIR(st->st_mode) ? "a folder" : "no regular file");
	return 0;
}

/* Asks through a read-only connection, so that a stranger's file stays as it is. */
int dbfile_look(const char *path, struct err *err)
{
	sqlite3 *sqlite = NULL;
	struct stat st;

	int rc = dbfile_stat(path, &st, err);
	/* What is made would take the link's place. */
	if (rc == -ENOENT && lstat(path, &st) == 0)
		return err_set(err, -EINVAL, "%s is a link to what is not there: remove it, or name that file", path);
	if (rc < 0 || st.st_size == 0)
		return rc == -ENOENT ? 0 : rc;
	if ((rc = owner_check_reader(path, err)) < 0)
		return rc;
	rc = sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READONLY, NULL);
	sqlite3_busy_timeout(sqlite, 10000);
	/* A connection that could not be opened has no name. */
	rc = rc == SQLITE_OK ? look_inside(path, sqlite, err)
	                     : err_prefix(err, sql_error(sqlite, path, err), "%s", path);
	sqlite3_close(sqlite);
	return rc;
}

int dbfile_lock(const char *path, bool scratch, int *fd, struct err *err)
{
	struct stat st;
	int rc = check_length(path, err);

	*fd = -1;
	if (rc < 0)
		return rc;
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (scratch ? O_NOFOLLOW | O_NONBLOCK : 0), 0666);
	if (*fd < 0 && errno != ELOOP)
		return err_errno(err, "cannot open %s", path);
	if (scratch && (*fd < 0 || fstat(*fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink > 1)) {
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		return err_set(err, -EEXIST, "%s, which is to be built there, is a link or no file: remove it", path);
	}
	if (*fd < 0)
		return err_errno(err, "cannot open %s", path);
	if (flock(*fd, LOCK_EX | LOCK_NB) < 0) {
		rc = errno == EWOULDBLOCK ? err_set(err, -EBUSY, "another deltamirror is at work on %s", path)
		                          : err_errno(err, "cannot lock %s", path);
		close(*fd);
		*fd = -1;
		return rc;
	}
	return 0;
}

int dbfile_check(const char *path, int fd, struct err *err)
{
	struct stat named, locked;

	if (stat(path, &named) == 0 && fstat(fd, &locked) == 0 && named.st_ino == locked.st_ino &&
	    named.st_dev == locked.st_dev)
		return 0;
	return err_set(err, -EIO, "%s is not the file any more that was opened: somebody replaced or removed it", path);
}

static bool remove_beside(const char *path)
{
	char name[4200];
	bool any = false;

	for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
		snprintf(name, sizeof name, "%s%s", path, beside[i]);
		any = unlink(name) == 0 || any;
	}
	return any;
}

bool dbfile_empty(const char *path, int fd)
{
	struct stat st;
	bool any = fstat(fd, &st) == 0 && st.st_size > 0;

	if (any && ftruncate(fd, 0) < 0)
		any = false; /* what stands there is refused when it is opened */
	return remove_beside(path) || any;
}

int dbfile_sync_folder(const char *path, struct err *err)
{
	char *copy = strdup(path);

	if (!copy)
		return err_set(err, -ENOMEM, "out of memory");
	const char *folder = dirname(copy);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? err_errno(err, "cannot sync the folder %s", folder) : 0;
	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

/* Nothing that somebody made there meanwhile is overwritten; what holds nothing may be. The WAL of a
 * database that is gone would be taken for the new one's: it has to be off the disk before, whoever removed it. */
static int clear_place(const char *path, struct err *err)
{
	int found = dbfile_look(path, err);

	if (found != 0)
		return found < 0 ? found : err_set(err, -EEXIST, "another deltamirror has made %s meanwhile", path);
	remove_beside(path);
	return dbfile_sync_folder(path, err);
}

int dbfile_rename(const char *from, int fd, const char *to, struct err *err)
{
	if (fsync(fd) < 0)
		return err_errno(err, "cannot sync %s", from);
	int rc = clear_place(to, err);
	if (rc < 0)
		return rc;
	rc = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
	if (rc < 0 && (errno == EEXIST || errno == EINVAL || errno == ENOSYS)) {
		if ((rc = clear_place(to, err)) < 0)
			return rc;
		rc = rename(from, to);
	}
	if (rc < 0)
		return err_errno(err, "cannot rename %s to %s", from, to);
	return dbfile_sync_folder(to, err);
}

void dbfile_remove(const char *path)
{
	unlink(path);
	remove_beside(path);
}

void dbfile_sweep(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 ? errno == ENOENT : flock(fd, LOCK_EX | LOCK_NB) == 0)
		dbfile_remove(path);
	if (fd >= 0)
		close(fd);
}
