#include "mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int mountpoint_first_line(const char *path, char *text, size_t size, struct line_head *head)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, size);
	int rc = n < 0 ? -errno : 0;
	close(fd);
	char *newline = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
	return newline && line_parse(text, (size_t)(newline - text), head) && head->stamped ? 1 : rc;
}

char *mountpoint_status(const char *mount, const char *name)
{
	char path[4096], *line = NULL, *value = NULL;
	size_t len = strlen(name), size = 0;
	ssize_t n;

	snprintf(path, sizeof path, "%s/status", mount ? mount : "");
	FILE *file = mount ? fopen(path, "re") : NULL;
	while (file && !value && (n = getline(&line, &size, file)) > 0)
		if (strncmp(line, name, len) == 0 && line[len] == '\t' && line[n - 1] == '\n')
			value = strndup(line + len + 1, (size_t)n - len - 2);
	if (file)
		fclose(file);
	free(line);
	return value;
}

bool mountpoint_blame_damage(const char *mount, struct err *err)
{
	char *damage = mountpoint_status(mount, "damage");
	bool any = damage && *damage;

	if (any) {
		struct err reason = *err;
		long len = line_unescape(damage, (struct span){damage, strlen(damage)});
		damage[len < 0 ? 0 : len] = 0;
		err_set(err, 0, "%.300s; %.100s/status says: %.550s", reason.text, mount, damage);
	}
	free(damage);
	return any;
}

uint64_t mountpoint_generation(const char *mount)
{
	char *value = mountpoint_status(mount, "generation");
	uint64_t generation = value ? strtoull(value, NULL, 10) : 0;

	free(value);
	return generation;
}

int mountpoint_origin(const char *mount, struct origin *origin, struct err *err)
{
	char path[4096], text[4096];
	struct line_head head;

	snprintf(path, sizeof path, "%s/live", mount);
	int rc = mountpoint_first_line(path, text, sizeof text, &head);
	if (rc < 0)
		return err_set(err, -ENOTCONN, "cannot read %s: %s", path, strerror(-rc));
	if (rc == 0 || !origin_parse(&head, origin))
		return err_set(err, -EBADMSG, "%s does not begin with an origin line (docs/FORMAT.md)", path);
	return 0;
}
