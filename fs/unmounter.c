#include "unmounter.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"
#include "await.h"

enum { ANSWER_MS = 10000, END_MS = 2000 };

struct unmounter {
	pid_t pid;
	int fd;
};

/* ---- which mount -------------------------------------------------------- */

/* mountinfo spells blanks and backslashes as \ooo. In place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; to++) {
		unsigned byte;
		if (*text == '\\' && sscanf(text + 1, "%3o", &byte) == 1) {
			*to = (char)byte;
			text += 4;
		} else {
			*to = *text++;
		}
	}
	*to = 0;
}

/* "major:minor" of what is on top at `mountpoint`; "" where nothing is. */
static void find_device(const char *mountpoint, char device[32])
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;

	device[0] = 0;
	while (file && getline(&line, &size, file) > 0) {
		char *save, *field = strtok_r(line, " ", &save);
		char *found = NULL, *place = NULL;
		for (int i = 0; field; field = strtok_r(NULL, " ", &save), i++) {
			if (i == 2)
				found = field;
			else if (i == 4)
				place = field;
		}
		if (!place)
			continue;
		unescape(place);
		if (strcmp(place, mountpoint) == 0)
			snprintf(device, 32, "%s", found);
	}
	free(line);
	if (file)
		fclose(file);
}

/* ---- the child ---------------------------------------------------------- */

/* 0 or an errno. While the daemon holds its connection open, no other mount has its device. */
static int unmount(const char *mountpoint, const char *device)
{
	char now[32];

	find_device(mountpoint, now);
	if (strcmp(now, device) != 0)
		return 0; /* somebody else did, or something covers it: that is not ours */
	return umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? errno : 0;
}

static _Noreturn void serve(int fd, const char *mountpoint, const char *device)
{
	char request;
	ssize_t n;

	for (int signal_number = 1; signal_number < NSIG; signal_number++)
		signal(signal_number, SIG_IGN); /* SIGKILL and SIGSTOP stay */
	/* Above all the store's lock and the connection of the mount, which are to end with the daemon. */
	dup2(fd, 0);
	close_range(1, ~0U, 0);
	args_rename("daystream-umount");
	if (chdir("/") < 0)
		_exit(EXIT_FAILURE);
	do
		n = read(0, &request, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1) {
		int answer = unmount(mountpoint, device);
		n = write(0, &answer, sizeof answer);
	}
	_exit(n < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* ---- the daemon --------------------------------------------------------- */

int unmounter_start(struct unmounter **out, const char *mountpoint, struct err *err)
{
	struct unmounter *unmounter = calloc(1, sizeof *unmounter);
	char device[32];
	int fds[2];

	*out = NULL;
	find_device(mountpoint, device);
	if (!device[0]) {
		free(unmounter);
		return err_set(err, -ENOENT, "/proc/self/mountinfo does not show the mount at %s", mountpoint);
	}
	if (!unmounter || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		free(unmounter);
		return err_errno(err, "creating a pair of sockets");
	}
	unmounter->pid = fork();
	if (unmounter->pid == 0)
		serve(fds[1], mountpoint, device);
	unmounter->fd = fds[0];
	close(fds[1]);
	if (unmounter->pid < 0) {
		int r = err_errno(err, "forking");
		unmounter_stop(unmounter);
		return r;
	}
	*out = unmounter;
	return 0;
}

int unmounter_unmount(struct unmounter *unmounter, struct err *err)
{
	struct pollfd fd = {.fd = unmounter->fd, .events = POLLIN};
	int answer = 0;
	ssize_t n = send(unmounter->fd, "u", 1, MSG_NOSIGNAL);

	if (n == 1 && await(&fd, 1, ANSWER_MS) > 0)
		n = recv(unmounter->fd, &answer, sizeof answer, 0);
	if (n != (ssize_t)sizeof answer)
		return err_set(err, -EIO, "the process that unmounts does not answer (was it killed?)");
	if (answer == 0)
		return 0;
	errno = answer;
	return err_errno(err, "unmounting");
}

void unmounter_stop(struct unmounter *unmounter)
{
	if (!unmounter)
		return;
	close(unmounter->fd);
	/* It ends by that; a stopped one is not waited for. */
	for (int ms = 0; unmounter->pid > 0 && ms < END_MS; ms += 2) {
		if (waitpid(unmounter->pid, NULL, WNOHANG) != 0)
			break;
		usleep(2000);
	}
	free(unmounter);
}
