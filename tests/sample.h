/*
 * sample.h - the sample blocks of docs/FORMAT.md, for the unit tests: what the
 * page shows is what the code reads. Run from the top of the tree.
 */
#ifndef TESTS_SAMPLE_H
#define TESTS_SAMPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The indented block behind `<!-- sample: NAME`, without its indentation, each
 * line with its '\n'. The caller frees it. Ends the program where there is none. */
static char *sample_read(const char *name)
{
	char mark[64], line[4096];
	char *text = NULL;
	size_t len = 0;
	int found = 0;
	FILE *page = fopen("docs/FORMAT.md", "r");

	snprintf(mark, sizeof mark, "<!-- sample: %s ", name);
	while (page && fgets(line, sizeof line, page)) {
		if (!found) {
			found = strncmp(line, mark, strlen(mark)) == 0;
		} else if (strncmp(line, "    ", 4) == 0) {
			size_t n = strlen(line + 4);
			text = realloc(text, len + n + 1);
			if (!text)
				abort();
			memcpy(text + len, line + 4, n + 1);
			len += n;
		} else {
			break;
		}
	}
	if (page)
		fclose(page);
	if (!text) {
		fprintf(stderr, "docs/FORMAT.md has no sample \"%s\" (run this from the top of the tree)\n", name);
		exit(99);
	}
	return text;
}

#endif
