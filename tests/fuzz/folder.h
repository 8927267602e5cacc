/* folder.h - a folder in memory for a fuzzer whose code works on files; gone with the process. */
#ifndef TESTS_FUZZ_FOLDER_H
#define TESTS_FUZZ_FOLDER_H

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "property.h"

static int folder = -1;
static char folder_name[] = "/dev/shm/daystream-fuzz.XXXXXX";

static void folder_remove(void)
{
	rmdir(folder_name);
}

static void folder_open(void)
{
	must(mkdtemp(folder_name));
	folder = open(folder_name, O_RDONLY | O_DIRECTORY);
	must(folder >= 0);
	atexit(folder_remove);
}

#endif
