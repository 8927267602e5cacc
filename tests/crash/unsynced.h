/*
 * unsynced.h - fsync and fdatasync of a test's own program: they do nothing but where its work is recorded, since the states
 * that are looked at need not last. For the one file that has main.
 */
#ifndef CRASH_UNSYNCED_H
#define CRASH_UNSYNCED_H

#include <dlfcn.h>
#include <stdbool.h>
#include <unistd.h>

static bool recorded;

static int sync_if_recorded(const char *call, int fd)
{
	int (*next)(int);

	if (!recorded)
		return 0;
	*(void **)&next = dlsym(RTLD_NEXT, call);
	return next(fd);
}

int fsync(int fd)
{
	return sync_if_recorded("fsync", fd);
}

int fdatasync(int fd)
{
	return sync_if_recorded("fdatasync", fd);
}

#endif
