#include "marks.h"

#include <stdlib.h>

#include "apply.h"
#include "content.h"
#include "disk.h"
#include "follow.h"

static void ignore(const char *text)
{
	(void)text;
}

static void add(struct marks *marks, struct position position, uint64_t content)
{
	must((marks->list = realloc(marks->list, (marks->count + 1) * sizeof *marks->list)));
	marks->list[marks->count++] = (struct mark){.position = position, .content = content};
}

void marks_learn(struct marks *marks, const char *mount, const char *folder)
{
	const struct follow_source source = {.mount = mount};
	struct database_want want = {.stop_fd = -1};
	struct database database;
	struct apply *apply;
	struct follow *follow;
	struct follow_line line;
	struct err err;
	char path[PATH_MAX];
	int rc;

	snprintf(path, sizeof path, "%s/truth.sqlite", folder);
	must(database_open(&database, path, &want, &err) == 0);
	must(apply_open(&apply, &database, NULL, 0, ignore, &err) == 0);
	must(follow_open(&follow, &source, NULL, &err) == 0);
	while ((rc = follow_next(follow, &line, &err)) == 1) {
		must(apply_line(apply, &line.head, &err) == 0);
		if (!line.commit)
			continue;
		must(apply_commit(apply, &err) == 0);
		add(marks, line.head.position, content_all(database.sqlite));
	}
	must(rc == 0 && marks->count > 0);
	follow_close(follow);
	apply_close(apply);
	database_close(&database);
}

struct mark *marks_find(const struct marks *marks, struct position position)
{
	for (size_t i = 0; i < marks->count; i++)
		if (position_cmp(marks->list[i].position, position) == 0)
			return &marks->list[i];
	return NULL;
}
