#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER_MAX 80

static const char *user_name(char *text, uid_t uid)
{
	struct passwd entry, *found = NULL;
	char space[4096];

	if (getpwuid_r(uid, &entry, space, sizeof space, &found) == 0 && found)
		snprintf(text, USER_MAX, "%s", entry.pw_name);
	else
		snprintf(text, USER_MAX, "user %u", uid);
	return text;
}

static bool allows(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
}

static bool allows_beside(const char *path, const char *suffix, int mode)
{
	char name[4200];

	snprintf(name, sizeof name, "%s%s", path, suffix);
	return allows(name, mode);
}

int owner_blame(const char *path, struct err *err)
{
	static const char *const files[] = {"", "-wal", "-shm"};
	char name[4200], owner[USER_MAX], user[USER_MAX];
	struct stat st;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(name, sizeof name, "%s%s", path, files[i]);
		if (allows(name, W_OK) || errno == ENOENT)
			continue;
		if (errno != EACCES || stat(name, &st) < 0)
			return err_set(err, -EIO, "cannot write %s: %s", name, strerror(errno));
		user_name(user, geteuid());
		return err_set(err, -EIO, "cannot write %s: it belongs to %s, and %s runs this: give it to %s (chown)",
		               name, user_name(owner, st.st_uid), user, user);
	}
	return err_set(err, -EIO, "cannot write %s: it is read-only", path);
}

static bool allows_folder(const char *path)
{
	char *copy = strdup(path);
	bool allowed = copy && allows(dirname(copy), W_OK);

	free(copy);
	return allowed;
}

int owner_check_reader(const char *path, struct err *err)
{
	char owner[USER_MAX], user[USER_MAX];
	struct stat st;

	if (allows(path, W_OK) || errno != EACCES || !allows_folder(path) || stat(path, &st) < 0 ||
	    (allows_beside(path, "-wal", F_OK) && allows_beside(path, "-shm", F_OK)))
		return 0;
	user_name(owner, st.st_uid);
	return err_set(
	    err, -EACCES,
	    "nobody has %s open, and %s, reading it, would leave files beside it that %s, whose it is, could "
	    "not write: run this as %s, or while its deltamirror runs",
	    path, user_name(user, geteuid()), owner, owner);
}
