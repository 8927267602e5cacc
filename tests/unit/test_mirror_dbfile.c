/* A database comes to its name: what has to be on the disk before, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dbfile.h"

/* What was done: 'f' a file synced, 'd' a folder, 'u' a name removed, 'r' one given. */
static char done[64];
static size_t done_count;

static void note(char what)
{
	assert_true(done_count < sizeof done - 1);
	done[done_count++] = what;
	done[done_count] = 0;
}

int fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	note(S_ISDIR(st.st_mode) ? 'd' : 'f');
	return 0;
}

int renameat2(int from_dirfd, const char *from, int to_dirfd, const char *to, unsigned flags)
{
	note('r');
	return (int)syscall(SYS_renameat2, from_dirfd, from, to_dirfd, to, flags);
}

int unlink(const char *name)
{
	int rc = (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);

	if (rc == 0)
		note('u');
	return rc;
}

struct place {
	char folder[40], building[60], name[60], wal[60];
	int lock_fd;
};

static int setup(void **state)
{
	static struct place p;

	snprintf(p.folder, sizeof p.folder, "/tmp/daystream-unit.XXXXXX");
	assert_non_null(mkdtemp(p.folder));
	snprintf(p.name, sizeof p.name, "%s/m.sqlite", p.folder);
	snprintf(p.building, sizeof p.building, "%s.building", p.name);
	snprintf(p.wal, sizeof p.wal, "%s-wal", p.name);
	assert_int_equal(dbfile_lock(p.building, true, &p.lock_fd, NULL), 0);
	done_count = 0;
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	close(p->lock_fd);
	unlink(p->name);
	return rmdir(p->folder);
}

/* A WAL that an earlier process removed may be there again after a loss of power, where the folder was not synced since. */
static void what_was_removed_beside_the_name_is_off_the_disk_before_it_is_given(void **state)
{
	struct place *p = *state;

	assert_int_equal(dbfile_rename(p->building, p->lock_fd, p->name, NULL), 0);
	assert_string_equal(done, "fdrd");
}

static void a_strangers_wal_is_off_the_disk_before_the_name_is_given(void **state)
{
	struct place *p = *state;
	int fd = open(p->wal, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(dbfile_rename(p->building, p->lock_fd, p->name, NULL), 0);
	assert_string_equal(done, "fudrd");
	assert_int_equal(access(p->wal, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_was_removed_beside_the_name_is_off_the_disk_before_it_is_given, setup,
	                                    teardown),
	    cmocka_unit_test_setup_teardown(a_strangers_wal_is_off_the_disk_before_the_name_is_given, setup, teardown),
	};

	return cmocka_run_group_tests_name("mirror: dbfile", tests, NULL, NULL);
}
