#include "input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct input_way *added;

void input_add(const struct input_way *way)
{
	added = way;
}

/* NULL: the file system. */
static const struct input_way *way_of(const char *path)
{
	return added && strncmp(path, added->prefix, strlen(added->prefix)) == 0 ? added : NULL;
}

int input_open(struct input *input, const char *path, struct err *err)
{
	*input = (struct input){.fd = -1, .way = way_of(path)};
	if (input->way)
		return input->way->open(&input->file, path, err);
	input->fd = open(path, O_RDONLY | O_CLOEXEC);
	return input->fd < 0 ? err_errno(err, "cannot open %s", path) : 0;
}

void input_close(struct input *input)
{
	if (input->file)
		input->way->close(input->file);
	if (input->fd >= 0)
		close(input->fd);
	*input = (struct input){.fd = -1};
}

long input_read(struct input *input, char *buf, size_t len)
{
	long n = input->way ? input->way->read(input->file, input->at, buf, len) : read(input->fd, buf, len);

	if (n < 0)
		return input->way ? n : -errno;
	input->at += (uint64_t)n;
	return n;
}

int64_t input_size(const struct input *input)
{
	struct stat st;

	if (input->way)
		return input->way->size(input->file);
	return fstat(input->fd, &st) == 0 ? st.st_size : -errno;
}

int input_look(const char *path, struct err *err)
{
	struct input input;
	int rc = input_open(&input, path, err);

	input_close(&input);
	return rc;
}

int input_kind(const char *path)
{
	const struct input_way *way = way_of(path);
	struct stat st;

	if (way)
		return way->kind(path);
	return stat(path, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? INPUT_FILE : INPUT_FOLDER;
}

int input_link(const char *path, char *target, size_t size)
{
	ssize_t n = way_of(path) ? -1 : readlink(path, target, size - 1);

	if (n < 0)
		return way_of(path) ? -ENOSYS : -errno;
	target[n] = 0;
	return 0;
}

int input_list(const char *path, char ***names, struct err *err)
{
	const struct input_way *way = way_of(path);
	struct dirent **entries = NULL;

	*names = NULL;
	if (way)
		return way->list(path, names, err);
	int count = scandir(path, &entries, NULL, NULL);
	int rc = count < 0 ? err_errno(err, "cannot list %s", path) : count;
	if (count > 0 && !(*names = calloc((size_t)count, sizeof **names)))
		rc = -ENOMEM;
	for (int i = 0; i < count; i++) {
		if (rc > 0 && !((*names)[i] = strdup(entries[i]->d_name)))
			rc = -ENOMEM;
		free(entries[i]);
	}
	free(entries);
	if (rc == -ENOMEM && count > 0) {
		err_set(err, rc, "out of memory for the names in %s", path);
		input_free(*names, *names ? count : 0);
		*names = NULL;
	}
	return rc;
}

void input_free(char **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}
