#include "copies.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>

struct id {
	dev_t dev;
	ino_t ino;
};

struct open_copy {
	struct copy copy; /* first: what others see */
	struct id id;
	size_t users;
	UT_hash_handle hh;
};

struct copies {
	pthread_mutex_t lock;
	struct open_copy *open;
	size_t most;
};

struct copies *copies_new(void)
{
	struct copies *copies = calloc(1, sizeof *copies);
	struct rlimit limit;

	if (!copies)
		return NULL;
	pthread_mutex_init(&copies->lock, NULL);
	copies->most = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 4 : 256;
	return copies;
}

static void free_copy(struct copies *copies, struct open_copy *copy)
{
	HASH_DEL(copies->open, copy);
	close(copy->copy.fd);
	free(copy);
}

void copies_free(struct copies *copies)
{
	if (!copies)
		return;
	while (copies->open)
		free_copy(copies, copies->open);
	pthread_mutex_destroy(&copies->lock);
	free(copies);
}

/* One more user of the file; under the lock. */
static int use(struct copies *copies, int fd, const struct id *id, struct open_copy **out, struct err *err)
{
	struct open_copy *copy;

	HASH_FIND(hh, copies->open, id, sizeof *id, copy);
	if (!copy && HASH_COUNT(copies->open) >= copies->most)
		return err_set(err, -ENFILE, "%zu files of snapshots are open, and no more may be (`ulimit -Hn`)",
		               copies->most);
	if (!copy) {
		if (!(copy = calloc(1, sizeof *copy)))
			return err_set(err, -ENOMEM, "out of memory");
		copy->copy.fd = fd;
		copy->id = *id;
		HASH_ADD(hh, copies->open, id, sizeof copy->id, copy);
	}
	copy->users++;
	*out = copy;
	return 0;
}

int copies_open(struct copies *copies, int fd, struct copy **out, struct err *err)
{
	struct open_copy *copy = NULL;
	struct id id = {0}; /* padding, too */
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0) {
		r = err_errno(err, "asking for a snapshot's file");
	} else {
		id.dev = st.st_dev;
		id.ino = st.st_ino;
		pthread_mutex_lock(&copies->lock);
		r = use(copies, fd, &id, &copy, err);
		pthread_mutex_unlock(&copies->lock);
	}
	if (!copy || copy->copy.fd != fd)
		close(fd);
	*out = copy ? &copy->copy : NULL;
	return r;
}

void copies_close(struct copies *copies, struct copy *shown)
{
	struct open_copy *copy = (struct open_copy *)shown;

	pthread_mutex_lock(&copies->lock);
	if (--copy->users == 0)
		free_copy(copies, copy);
	pthread_mutex_unlock(&copies->lock);
}
