#include "args.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static char **copy; /* and the texts behind it: callers may change the pointers */
static char *area;  /* where the kernel has the arguments */
static size_t area_len;

/* The password of a connection string stands under that word, whatever is wrong with the string, or in a URI. */
static bool may_be_secret(const char *arg)
{
	return strcasestr(arg, "pass") || (strstr(arg, "://") && strchr(arg, '@'));
}

char **args_take(int argc, char **argv, bool secrets)
{
	size_t pointers = ((size_t)argc + 1) * sizeof *copy, len = 0;

	for (int i = 0; i < argc; i++)
		len += strlen(argv[i]) + 1;
	if (!(copy = calloc(1, pointers + len)))
		return NULL;
	char *text = (char *)copy + pointers;
	area = argc > 0 ? argv[0] : NULL;
	for (int i = 0; i < argc; i++) {
		copy[i] = text;
		text = stpcpy(text, argv[i]) + 1;
		/* They stand one behind the other; who changed that has no area. */
		if (area && argv[i] == area + area_len)
			area_len += strlen(argv[i]) + 1;
		if (secrets && i > 0 && may_be_secret(argv[i]))
			memset(argv[i], '*', strlen(argv[i]));
	}
	return copy;
}

void args_rename(const char *title)
{
	prctl(PR_SET_NAME, title);
	if (area_len == 0)
		return;
	memset(area, 0, area_len);
	strncpy(area, title, area_len - 1);
}
