/*
 * mount.h - the FUSE session: its command line, a dead mount cleared, signals, and
 * the threads that serve (several, so that a slow read keeps nobody waiting).
 * Only this, serve.h and handle.h know FUSE.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include "file.h"

/* The command line of daystreamfs, taken apart; free with mount_options_fini. */
struct mount_options {
	char *store, *mountpoint;
	int foreground, read_only, help, version, notify;
	void *fuse_args;
};

/* -EINVAL: usage; err says what. */
int mount_options_parse(struct mount_options *options, int argc, char **argv, struct err *err);
void mount_options_fini(struct mount_options *options);

/* The mount options that libfuse knows, for --help. */
void mount_options_help(void);

struct mount;

/* Reads libfuse's part of the options. -EINVAL: usage; libfuse has said what. */
int mount_open(struct mount **mount, const struct mount_options *options, struct err *err);

/* That the mountpoint can be one: a dead mount can, another daemon's not. */
int mount_check(const struct mount_options *options, struct err *err);

/* Clears what a killed daemon left at the mountpoint, and mounts. `shown` is
 * borrowed until mount_end. The caller has SIGTERM, SIGINT and SIGHUP blocked in all
 * threads; mount_serve takes them. */
int mount_start(struct mount *mount, const char *mountpoint, const struct shown *shown, struct err *err);

/* A child process stays root, and will unmount; for a daemon that is no longer root then. Before there
 * are threads. */
int mount_hand_over(struct mount *mount, struct err *err);

/* Serves until SIGTERM, SIGINT, SIGHUP or an unmount from outside. */
int mount_serve(struct mount *mount, struct err *err);

/* Who reads: the open files, and how many of them are followed (handle.h). Any thread. */
void mount_readers(struct mount *mount, size_t *files, size_t *followers);

/* Unmounts, where that has to be, and frees. NULL is fine. */
void mount_end(struct mount *mount);

#endif
