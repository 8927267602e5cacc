#include "watch.h"

#include <errno.h>
#include <mntent.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "report.h"
#include "screen.h"

enum { PERIOD_MS = 1000, LATE_MS = 3000, LONGEST_MS = 60000 };

/* One reading. */
struct sample {
	char *text; /* NULL: none */
	struct err err;
	int64_t ms;
};

struct watch {
	const char *path;
	watch_read *read;
	pthread_mutex_t lock; /* all below */
	struct sample now;
	unsigned count; /* readings so far */
};

static struct sample take(const struct watch *watch)
{
	struct sample sample = {.err = {""}};

	sample.text = watch->read(watch->path, &sample.err);
	sample.ms = clock_ms();
	return sample;
}

/* A file that does not answer (a dead connection's) keeps this thread alone waiting. What is costly to read is read less
 * often: a tenth of the time. */
static void *reader_thread(void *arg)
{
	struct watch *watch = arg;

	for (;;) {
		int64_t began = clock_ms();
		struct sample sample = take(watch);
		pthread_mutex_lock(&watch->lock);
		free(watch->now.text);
		watch->now = sample;
		watch->count++;
		pthread_mutex_unlock(&watch->lock);
		int64_t took = sample.ms - began;
		int64_t pause = 10 * took > PERIOD_MS ? 10 * took : PERIOD_MS - took;
		usleep((useconds_t)(pause < LONGEST_MS ? pause : LONGEST_MS) * 1000);
	}
	return NULL;
}

/* The newest reading, copied; its count. */
static unsigned newest(struct watch *watch, struct sample *sample)
{
	pthread_mutex_lock(&watch->lock);
	*sample = watch->now;
	sample->text = sample->text ? strdup(sample->text) : NULL;
	unsigned count = watch->count;
	pthread_mutex_unlock(&watch->lock);
	return count;
}

static void paint(const struct watch *watch, const struct sample *now, const struct sample *before)
{
	struct report report = {now->text, before->text, now->ms, before->ms};
	time_t second = time(NULL);
	char *text = NULL, clock[32] = "";
	size_t len;
	struct tm tm;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	if (gmtime_r(&second, &tm))
		strftime(clock, sizeof clock, "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "daystream   %s   %s UTC\n\n", watch->path, clock);
	if (now->text)
		report_screen(out, &report);
	if (now->err.text[0])
		fprintf(out, "\nerror       %s\n", now->err.text);
	int64_t late = clock_ms() - now->ms;
	if (late > LATE_MS)
		fprintf(out, "\nno answer for %lld s\n", (long long)late / 1000);
	fputs("q ends\n", out);
	if (fclose(out) == 0)
		screen_paint(text);
	free(text);
}

static void print_line(const struct sample *now, const struct sample *before)
{
	struct report report = {now->text, before->text, now->ms, before->ms};

	if (now->text)
		report_line(stdout, &report);
	if (now->err.text[0])
		printf("error: %s\n", now->err.text);
	fflush(stdout);
}

static void show(struct watch *watch, struct sample *now, bool terminal)
{
	struct sample before = {0};
	unsigned seen = 0;

	do {
		struct sample next;
		unsigned count = newest(watch, &next);
		if (count != seen) {
			free(before.text);
			before = *now;
			*now = next;
			if (!terminal)
				print_line(now, &before);
		} else {
			free(next.text);
		}
		seen = count;
		if (terminal)
			paint(watch, now, &before);
	} while (!(ferror(stdout) && !terminal) && screen_wait(PERIOD_MS / 2));
	free(before.text);
}

int watch(const char *path, watch_read *read, struct err *err)
{
	struct watch *watch = calloc(1, sizeof *watch); /* the thread's, too, which nobody ends */
	pthread_t reader;

	if (!watch)
		return err_set(err, -ENOMEM, "out of memory");
	watch->path = path;
	watch->read = read;
	pthread_mutex_init(&watch->lock, NULL);
	struct sample first = take(watch);
	if (!first.text) {
		*err = first.err;
		free(watch);
		return -EIO;
	}
	watch->now = first;
	watch->now.text = strdup(first.text);
	watch->count = 1;
	bool terminal = screen_open();
	if ((errno = pthread_create(&reader, NULL, reader_thread, watch)) != 0) {
		screen_close();
		return err_errno(err, "starting a thread");
	}
	pthread_detach(reader);
	show(watch, &first, terminal);
	free(first.text);
	screen_close();
	return 0;
}

char *watch_find_mount(const char *store)
{
	char *wanted = realpath(store, NULL), *found = NULL;
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;

	while (wanted && mounts && !found && (entry = getmntent(mounts))) {
		if (strcmp(entry->mnt_type, "fuse.daystreamfs") != 0 || entry->mnt_fsname[0] != '/')
			continue;
		char *source = realpath(entry->mnt_fsname, NULL);
		if (source && strcmp(source, wanted) == 0)
			found = strdup(entry->mnt_dir);
		free(source);
	}
	if (mounts)
		endmntent(mounts);
	free(wanted);
	return found;
}
