#include "background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

int background_start(int *ready_fd, struct err *err)
{
	int fds[2];
	char status = EXIT_FAILURE;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, "creating a pipe");
	pid_t pid = fork();
	if (pid < 0)
		return err_errno(err, "forking");
	if (pid > 0) {
		close(fds[1]);
		ssize_t n;
		do
			n = read(fds[0], &status, 1);
		while (n < 0 && errno == EINTR);
		_exit(n == 1 ? status : EXIT_FAILURE);
	}
	close(fds[0]);
	setsid();
	*ready_fd = fds[1];
	return 0;
}

void background_ready(int ready_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	log_to_syslog();
	if (chdir("/") < 0 || null < 0)
		log_warn("leaving the terminal: %s", strerror(errno));
	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (write(ready_fd, "", 1) != 1) { /* status 0 */
		                           /* the parent is gone; nobody waits */
	}
	close(ready_fd);
}

int background_absolute(char **path, struct err *err)
{
	char *cwd, *absolute;

	if ((*path)[0] == '/')
		return 0;
	if (!(cwd = getcwd(NULL, 0)))
		return err_errno(err, "asking for the current folder");
	int n = asprintf(&absolute, "%s/%s", cwd, *path);
	free(cwd);
	if (n < 0)
		return err_set(err, -ENOMEM, "out of memory");
	free(*path);
	*path = absolute;
	return 0;
}
