/*
 * outline.h - what a store of one test shows, as an outline: a line for each line.
 */
#ifndef TESTS_OUTLINE_H
#define TESTS_OUTLINE_H

#include "fixture.h"

static inline int outline_setup(void **state)
{
	struct fixture *f = malloc(sizeof *f);

	must(f);
	fixture_start(f, FIXTURE_SEGMENT);
	*state = f;
	return 0;
}

static inline int outline_teardown(void **state)
{
	struct fixture *f = *state;

	fixture_end(f);
	free(f);
	return 0;
}

/* "<epoch>.<seq> <action> <table>\n" for each line shown; the caller frees. */
static inline char *outline(struct fixture *f)
{
	size_t len, n;
	char *text = fixture_shown(f->store, &len), *out;
	FILE *to = open_memstream(&out, &n);

	for (char *at = text, *end; at < text + len; at = end + 1) {
		struct line_head head;
		char position[POSITION_TEXT_MAX];
		end = strchr(at, '\n');
		must(end && line_parse(at, (size_t)(end - at), &head));
		fprintf(to, "%s %.*s", position_print(position, head.position), (int)head.action.len, head.action.at);
		if (head.table.at)
			fprintf(to, " %.*s", (int)head.table.len, head.table.at);
		if (head.table.at && head.xid.at == NULL)
			fprintf(to, " in force");
		fprintf(to, "\n");
	}
	fclose(to);
	free(text);
	return out;
}

static inline void shows(struct fixture *f, const char *want)
{
	char *have = outline(f);

	assert_string_equal(have, want);
	free(have);
}

#define ORIGIN "1507507200.0 origin\n1507507200.1 commit\n"

static inline void reopen(struct fixture *f, uint64_t segment_bytes)
{
	fixture_close(f);
	fixture_open(f, segment_bytes);
}

static inline void files_are(struct fixture *f, const char *want)
{
	char *names = fixture_names(f, ".day");

	assert_string_equal(names, want);
	free(names);
}

#endif
