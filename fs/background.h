/*
 * background.h - a program goes into the background; who started it learns whether it is ready.
 */
#ifndef FS_BACKGROUND_H
#define FS_BACKGROUND_H

#include "err.h"

/* Forks; the parent stays until the child is ready or has failed, and ends with its status. Returns in the child,
 * which owns *ready_fd; before there are threads. */
int background_start(int *ready_fd, struct err *err);

/* The parent ends, with status 0. From here on the folder is /, and messages go to syslog; closes `ready_fd`. */
void background_ready(int ready_fd);

/* A path as it is after background_ready, in place of *path, which is freed. Nothing is resolved: a dead mount could
 * not be. */
int background_absolute(char **path, struct err *err);

#endif
