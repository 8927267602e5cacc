/*
 * mount.h - the tree as a FUSE file system: the only file that includes FUSE.
 *
 * - Growing files are opened with direct_io, and their attributes are not cached:
 *   every page-cached way gives zeros or old lengths to some reader. Lines
 *   never change, so they are cached for good.
 * - A read never waits for data; poll(2) wakes when there is more.
 * - Several threads serve, so that a slow read keeps nobody waiting.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include "file.h"

/* The command line of daystreamfs, taken apart; free with mount_options_fini. */
struct mount_options {
	char *store, *mountpoint;
	int foreground, help, version;
	void *fuse_args;
};

/* -EINVAL: usage; err says what. */
int mount_options_parse(struct mount_options *options, int argc, char **argv, struct err *err);
void mount_options_fini(struct mount_options *options);

/* The mount options that libfuse knows, for --help. */
void mount_options_help(void);

struct mount;

/* Clears what a killed daemon left at the mountpoint, and mounts. `shown` is
 * borrowed until mount_end. The caller has SIGTERM, SIGINT and SIGHUP blocked in all
 * threads; mount_serve takes them. */
int mount_start(struct mount **mount, const struct mount_options *options, const struct shown *shown, struct err *err);

/* Serves until SIGTERM, SIGINT, SIGHUP or an unmount from outside. */
int mount_serve(struct mount *mount, struct err *err);

/* Unmounts, where that has not happened, and frees. */
void mount_end(struct mount *mount);

#endif
