#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "crc32c.h"
#include "regular.h"
#include "snapshots.h"

enum { JOBS_MOST = 64 };

/* What the daemon needs to go on is not to be taken from it. */
static const uint64_t reserve = 32u << 20;

struct dump {
	struct copy *copy;
	int dirfd;
	struct manifest_table *results;
	struct chunks *chunks;
	struct progress *progress;
	void (*wake)(void *ctx);
	void *ctx;
	pthread_t threads[JOBS_MOST];
	unsigned count;

	pthread_mutex_t lock; /* all below */
	size_t *order;
	size_t next, tables;
	unsigned running;
	int failure;
	struct err reason;
};

/* One file that is being written. */
struct output {
	struct dump *dump;
	struct manifest_table *result;
	struct chunks *chunks;
	int fd;
	uint64_t unchecked; /* bytes since the disk's space was looked at */
};

static int write_all(struct output *out, const char *bytes, size_t len, struct err *err)
{
	enum { LOOK_EACH = 16 << 20 };
	struct statvfs st;

	out->result->crc = crc32c(out->result->crc, bytes, len);
	out->result->bytes += len;
	if (chunks_add(out->chunks, bytes, len) < 0)
		return err_set(err, -ENOMEM, "out of memory for the sums of table \"%s\"", out->result->name);
	out->unchecked += len;
	if (out->unchecked >= LOOK_EACH) {
		out->unchecked = 0;
		if (fstatvfs(out->fd, &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize < reserve)
			return err_set(err, -ENOSPC,
			               "the store's disk is nearly full: the snapshot is given up, so that "
			               "the stream can go on");
	}
	if (regular_write(out->fd, bytes, len) < 0)
		return err_errno(err, "writing the snapshot of table \"%s\"", out->result->name);
	return 0;
}

static bool has_failed(struct dump *dump)
{
	pthread_mutex_lock(&dump->lock);
	bool failed = dump->failure < 0;
	pthread_mutex_unlock(&dump->lock);
	return failed;
}

static int take_rows(void *ctx, const char *lines, size_t len, uint64_t rows, struct err *err)
{
	struct output *out = ctx;

	if (has_failed(out->dump))
		return err_set(err, -ECANCELED, "another table's copy failed");
	int r = write_all(out, lines, len, err);
	if (r == 0) {
		out->result->rows += rows;
		progress_add(out->dump->progress, rows, len);
	}
	return r;
}

static int dump_table(struct dump *dump, struct copy_worker *worker, size_t i, struct err *err)
{
	size_t count;
	const struct published_table *table = &copy_tables(dump->copy, &count)[i];
	struct output out = {.dump = dump, .result = &dump->results[i], .chunks = &dump->chunks[i]};
	char file[NAME_MAX + 1];

	progress_at(dump->progress, table->name);
	out.fd =
	    openat(dump->dirfd, snapshots_file_name(file, table->name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out.fd < 0)
		return err_errno(err, "creating the snapshot of table \"%s\"", table->name);
	int r = write_all(&out, table->schema, strlen(table->schema), err);
	if (r == 0)
		r = write_all(&out, "\n", 1, err);
	if (r == 0)
		r = copy_rows(worker, i, take_rows, &out, err);
	if (r == 0 && fsync(out.fd) < 0)
		r = err_errno(err, "syncing the snapshot of table \"%s\"", table->name);
	close(out.fd);
	return r;
}

static bool take_next(struct dump *dump, size_t *i)
{
	pthread_mutex_lock(&dump->lock);
	bool more = dump->failure == 0 && dump->next < dump->tables;
	if (more)
		*i = dump->order[dump->next++];
	pthread_mutex_unlock(&dump->lock);
	return more;
}

static void *work(void *arg)
{
	struct dump *dump = arg;
	struct copy_worker *worker;
	struct err err;
	size_t i;
	int r = copy_worker_open(&worker, dump->copy, &err);

	while (r == 0 && take_next(dump, &i))
		r = dump_table(dump, worker, i, &err);
	copy_worker_close(worker);

	pthread_mutex_lock(&dump->lock);
	if (r < 0 && dump->failure == 0) {
		dump->failure = r;
		dump->reason = err;
	}
	dump->running--;
	bool wake = dump->running == 0 || r < 0;
	pthread_mutex_unlock(&dump->lock);
	if (wake)
		dump->wake(dump->ctx);
	return NULL;
}

int dump_start(struct dump **out, struct copy *copy, int dirfd, unsigned jobs, struct manifest_table *results,
               struct chunks *chunks, struct progress *progress, void (*wake)(void *ctx), void *ctx, struct err *err)
{
	struct dump *dump = calloc(1, sizeof *dump);
	size_t count;
	const struct published_table *tables = copy_tables(copy, &count);

	*out = NULL;
	if (!dump || !(dump->order = published_order(tables, count))) {
		free(dump);
		return err_set(err, -ENOMEM, "out of memory for a list of %zu tables", count);
	}
	dump->copy = copy;
	dump->dirfd = dirfd;
	dump->results = results;
	dump->chunks = chunks;
	dump->progress = progress;
	dump->wake = wake;
	dump->ctx = ctx;
	dump->tables = count;
	pthread_mutex_init(&dump->lock, NULL);

	/* Before there are threads: the first may have failed before the last has been started. */
	*out = dump;
	unsigned wanted = jobs > JOBS_MOST ? JOBS_MOST : jobs;
	dump->running = wanted > count ? (unsigned)count : wanted;
	for (unsigned threads = dump->running; dump->count < threads; dump->count++) {
		if ((errno = pthread_create(&dump->threads[dump->count], NULL, work, dump)) == 0)
			continue;
		int r = err_errno(err, "starting the threads that copy");
		pthread_mutex_lock(&dump->lock);
		dump->failure = r;
		pthread_mutex_unlock(&dump->lock);
		dump_stop(dump);
		*out = NULL;
		return r;
	}
	return 0;
}

int dump_done(struct dump *dump, struct err *err)
{
	pthread_mutex_lock(&dump->lock);
	int r = dump->failure < 0 ? dump->failure : dump->running == 0;
	if (r < 0)
		*err = dump->reason;
	pthread_mutex_unlock(&dump->lock);
	return r;
}

void dump_stop(struct dump *dump)
{
	if (!dump)
		return;
	for (unsigned i = 0; i < dump->count; i++)
		pthread_join(dump->threads[i], NULL);
	pthread_mutex_destroy(&dump->lock);
	free(dump->order);
	free(dump);
}
