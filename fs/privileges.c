#include "privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pg.h"

static const char own_user[] = "daystream";
enum { ANSWER_MS = 5000, DEPTH_MOST = 8 };

/* ---- who ---------------------------------------------------------------- */

static void take(struct privileges *privileges, const struct passwd *pw)
{
	privileges->uid = pw->pw_uid;
	privileges->gid = pw->pw_gid;
	snprintf(privileges->user, sizeof privileges->user, "%s", pw->pw_name);
	snprintf(privileges->home, sizeof privileges->home, "%s", pw->pw_dir);
}

int privileges_choose(struct privileges *privileges, int dirfd, const char *user, struct err *err)
{
	const struct passwd *pw;
	struct stat st;

	*privileges = (struct privileges){0};
	if (*user && !getpwnam(user))
		return err_set(err, -EINVAL, "daystream.conf: user \"%s\" does not exist on this host", user);
	if (geteuid() != 0)
		return 0;
	if (fstat(dirfd, &st) < 0)
		return err_errno(err, "looking at the store's folder");
	if (*user)
		pw = getpwnam(user);
	else if (st.st_uid != 0)
		pw = getpwuid(st.st_uid);
	else if (!(pw = getpwnam(own_user)))
		pw = getpwnam("nobody");
	if (pw) {
		take(privileges, pw);
	} else if (st.st_uid != 0) { /* an owner without a name */
		privileges->uid = st.st_uid;
		privileges->gid = st.st_gid ? st.st_gid : (gid_t)st.st_uid;
		snprintf(privileges->user, sizeof privileges->user, "%u", (unsigned)st.st_uid);
		strcpy(privileges->home, "/");
	}
	privileges->drop = privileges->uid != 0;
	return 0;
}

int privileges_choose_owner(struct privileges *privileges, int dirfd, const char *user, struct err *err)
{
	struct stat st;
	int r = privileges_choose(privileges, dirfd, strcmp(user, "root") == 0 ? user : "", err);

	if (r == 0 && (fstat(dirfd, &st) < 0 || st.st_uid != privileges->uid))
		privileges->drop = false;
	return r;
}

/* ---- becoming ----------------------------------------------------------- */

int privileges_enter(const struct privileges *privileges, struct err *err)
{
	if (privileges->drop &&
	    (setgroups(0, NULL) < 0 || setegid(privileges->gid) < 0 || seteuid(privileges->uid) < 0))
		return err_errno(err, "taking the rights of the user %s", privileges->user);
	return 0;
}

int privileges_leave(const struct privileges *privileges, struct err *err)
{
	if (privileges->drop && (seteuid(0) < 0 || setegid(0) < 0))
		return err_errno(err, "taking back the rights of root");
	return 0;
}

/* libpq looks for its files in the user's home, and logs in as who started us where nothing says else. */
static int set_environment(const struct privileges *privileges)
{
	const struct passwd *before = getpwuid(getuid());

	return (before && !privileges->own_role && setenv("PGUSER", before->pw_name, 0) < 0) ||
	               setenv("HOME", privileges->home, 1) < 0 || setenv("USER", privileges->user, 1) < 0 ||
	               setenv("LOGNAME", privileges->user, 1) < 0
	           ? -1
	           : 0;
}

int privileges_drop(const struct privileges *privileges, struct err *err)
{
	uid_t uid = privileges->uid;
	gid_t gid = privileges->gid;

	if (!privileges->drop)
		return 0;
	if (set_environment(privileges) < 0 || setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(err, "becoming the user %s", privileges->user);
	if (setuid(0) == 0 || setgid(0) == 0)
		return err_set(err, -EPERM, "becoming the user %s: root's rights can be had back", privileges->user);
#ifdef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else the search for leaks fails; the kernel says 0 */
#endif
	return 0;
}

/* ---- the server --------------------------------------------------------- */

struct answer {
	bool connected, has_password;
	char text[480];
};

/* In a child: connects, as the user where `privileges`. */
static _Noreturn void ask(const struct privileges *privileges, const char *conninfo, int fd)
{
	struct answer answer = {0};
	struct err err = {""};
	PGconn *conn = NULL;

	signal(SIGPIPE, SIG_IGN);
	answer.connected = (!privileges || privileges_drop(privileges, &err) == 0) &&
	                   pg_connect(&conn, conninfo, false, -1, &err) == 0;
	if (answer.connected)
		PQfinish(conn);
	else if ((conn = PQconnectStart(conninfo)))
		answer.has_password = PQpass(conn) && *PQpass(conn);
	snprintf(answer.text, sizeof answer.text, "%s", err.text);
	_exit(write(fd, &answer, sizeof answer) == (ssize_t)sizeof answer ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* False where no answer came in time, or a signal did that is blocked, which is left to who looks for it. */
static bool get_answer(const struct privileges *privileges, const char *conninfo, struct answer *answer)
{
	sigset_t blocked;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	int wakefd = signalfd(-1, &blocked, SFD_CLOEXEC);
	fflush(NULL); /* else what is buffered might be written twice */
	pid_t pid = fork();
	if (pid == 0)
		ask(privileges, conninfo, fds[1]);
	close(fds[1]);
	bool good = pid > 0 && pg_wait(fds[0], false, wakefd, ANSWER_MS) > 0 &&
	            read(fds[0], answer, sizeof *answer) == (ssize_t)sizeof *answer;
	close(fds[0]);
	if (wakefd >= 0)
		close(wakefd);
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return good;
}

bool privileges_connect(struct privileges *privileges, const char *conninfo, struct err *why)
{
	struct answer user, root;

	/* Where the server is silent, it is not for want of rights. */
	if (!privileges->drop || !get_answer(privileges, conninfo, &user) || user.connected ||
	    !get_answer(NULL, conninfo, &root))
		return true;
	/* A store that the user made is the user's there, too: peer authentication knows no other role. */
	if (!root.connected) {
		struct answer own;
		privileges->own_role = true;
		if (get_answer(privileges, conninfo, &own) && own.connected)
			return true;
		privileges->own_role = false;
	}
	/* Root fails in the same way: then it is not for want of rights either. */
	if (!root.connected && root.has_password == user.has_password && strcmp(root.text, user.text) == 0)
		return true;
	err_set(why, -EACCES,
	        "the user %s cannot reach the server as root can (%s), so all runs as root: give that user a way in "
	        "(pg_hba.conf, a password file), or write user = 'root' into daystream.conf to say that it is meant",
	        privileges->user, user.text);
	return false;
}

/* ---- the store ---------------------------------------------------------- */

static int give_below(const struct privileges *privileges, int dirfd, int depth);

/* What has several names is left alone: one of them may be elsewhere. */
static int give_one(const struct privileges *privileges, int dirfd, const char *name, int depth)
{
	struct stat st;
	int r = 0;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	bool folder = S_ISDIR(st.st_mode);
	if (!folder && (st.st_uid != 0 || !S_ISREG(st.st_mode)))
		return 0;
	int fd = openat(dirfd, name, (folder ? O_RDONLY | O_DIRECTORY : O_PATH) | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (folder && (r = give_below(privileges, fd, depth + 1)) < 0) {
		close(fd);
		return r;
	}
	if (fstat(fd, &st) < 0 || (st.st_uid == 0 && (folder || (S_ISREG(st.st_mode) && st.st_nlink == 1)) &&
	                           fchownat(fd, "", privileges->uid, privileges->gid, AT_EMPTY_PATH) < 0))
		r = -errno;
	close(fd);
	return r;
}

static int give_below(const struct privileges *privileges, int dirfd, int depth)
{
	int fd = depth > DEPTH_MOST ? -1 : openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return depth > DEPTH_MOST ? -ELOOP : -errno;
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, "lost+found") != 0)
			r = give_one(privileges, dirfd, entry->d_name, depth);
	if (r == 0 && errno)
		r = -errno;
	closedir(dir);
	return r;
}

int privileges_give(const struct privileges *privileges, int dirfd, struct err *err)
{
	struct stat st;

	if (!privileges->drop)
		return 0;
	int r = give_below(privileges, dirfd, 0);
	/* The folder comes last: where this breaks off, the next start does it again. */
	if (r == 0 &&
	    (fstat(dirfd, &st) < 0 || (st.st_uid == 0 && fchown(dirfd, privileges->uid, privileges->gid) < 0)))
		r = -errno;
	return r < 0 ? err_set(err, r, "giving the store to the user %s: %s", privileges->user, strerror(-r)) : 0;
}

/* With the effective rights. A disk that cannot be written, or no store at all, is no matter of rights. */
static bool may_work(int dirfd)
{
	static const char *const folders[] = {".", "segments"};

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (faccessat(dirfd, folders[i], R_OK | W_OK | X_OK, AT_EACCESS) < 0 && errno == EACCES)
			return false;
	return true;
}

bool privileges_settle(struct privileges *privileges, int dirfd, const char *conninfo, struct err *why)
{
	struct err reason = {""};
	bool may = true;

	if (!privileges->drop)
		return false;
	if (privileges_connect(privileges, conninfo, why)) {
		int r = privileges_give(privileges, dirfd, &reason);
		if (r == 0 && (r = privileges_enter(privileges, &reason)) == 0 && !(may = may_work(dirfd)))
			err_errno(&reason, "the user %s may not work on the store", privileges->user);
		if (r == 0)
			r = privileges_leave(privileges, &reason);
		if (r == 0 && may)
			return false;
		err_set(why, -EACCES,
		        "%s; so all runs as root: give the folder to that user (chown -R), or write user = 'root' into "
		        "daystream.conf to say that it is meant",
		        reason.text);
	}
	privileges->drop = false;
	return true;
}
