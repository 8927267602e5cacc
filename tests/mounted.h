/*
 * mounted.h - a fixture's store at a real mountpoint, served by this process.
 */
#ifndef TESTS_MOUNTED_H
#define TESTS_MOUNTED_H

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "mount.h"
#include "shown.h"

struct mounted {
	struct shown shown;
	struct mount *mount;
	pthread_t server;
	char path[PATH_MAX - 100];
};

static inline void *mounted_serve(void *arg)
{
	struct err err = {""};

	if (mount_serve(((struct mounted *)arg)->mount, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	return NULL;
}

static inline char *mounted_text(void *ctx, enum node_kind kind, size_t *len)
{
	(void)ctx;
	(void)kind;
	*len = 5;
	return strdup("text\n");
}

/* `options` as behind -o; NULL for none. */
static inline void mounted_start(struct mounted *m, struct fixture *f, const char *options)
{
	char *argv[] = {"daystreamfs", f->path, m->path, "-o", (char *)(uintptr_t)(options ? options : "dev"), NULL};
	struct mount_options parsed;
	sigset_t ending;

	/* Only the server's thread takes them, as in the daemon. */
	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &ending, NULL);
	snprintf(m->path, sizeof m->path, "%s.mnt", f->path);
	must(mkdir(m->path, 0755) == 0 || errno == EEXIST);
	m->shown = shown_open(f->store);
	m->shown.text = mounted_text;
	works(mount_options_parse(&parsed, options ? 5 : 3, argv, &f->err), f->err);
	works(mount_open(&m->mount, &parsed, &f->err), f->err);
	works(mount_start(m->mount, m->path, &m->shown, &f->err), f->err);
	mount_options_fini(&parsed);
	must(pthread_create(&m->server, NULL, mounted_serve, m) == 0);
}

static inline void mounted_stop(struct mounted *m)
{
	pthread_kill(m->server, SIGTERM);
	pthread_join(m->server, NULL);
	mount_end(m->mount);
	shown_close(&m->shown);
	must(rmdir(m->path) == 0);
}

/* The path of something in it; valid until the fourth call after it. */
static inline const char *mounted_path(const struct mounted *m, const char *below)
{
	static __thread char paths[4][PATH_MAX];
	static __thread unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", m->path, below);
	return path;
}

static inline uint64_t mounted_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif
