#include "mountpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "lines.h"

int mountpoint_first_line(const char *path, char *text, size_t size, struct line_head *head)
{
	struct input input;
	int rc = input_open(&input, path, NULL);
	long n = rc < 0 ? rc : input_read(&input, text, size);

	input_close(&input);
	char *newline = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
	return newline && line_parse(text, (size_t)(newline - text), head) && head->stamped ? 1 : n < 0 ? (int)n : 0;
}

char *mountpoint_status(const char *mount, const char *name)
{
	char path[4096], *value = NULL;
	size_t name_len = strlen(name), len;
	struct lines lines;
	const char *line;

	if (!mount)
		return NULL;
	snprintf(path, sizeof path, "%s/status", mount);
	int rc = lines_open(&lines, path, NULL);
	while (rc == 0 && !value && lines_next(&lines, &line, &len, NULL) == 1)
		if (len > name_len && strncmp(line, name, name_len) == 0 && line[name_len] == '\t')
			value = strndup(line + name_len + 1, len - name_len - 1);
	lines_close(&lines);
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
