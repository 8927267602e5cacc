#include "learnt.h"

#include <errno.h>

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory for the index");
}

int learnt_init(struct learnt *learnt, struct err *err)
{
	*learnt = (struct learnt){.index = index_new()};
	return learnt->index ? 0 : no_memory(err);
}

void learnt_fini(struct learnt *learnt)
{
	index_free(learnt->index);
	catalog_fini(&learnt->catalog);
	unplaced_fini(&learnt->unplaced);
	*learnt = (struct learnt){0};
}

int learnt_line(struct learnt *learnt, uint64_t off, const char *line, size_t len, const struct line_head *head,
                struct err *err)
{
	int r = index_add(learnt->index, off, line, len + 1, head);

	if (r == 0)
		r = catalog_line(&learnt->catalog, head, off, line, len);
	if (r == 0)
		r = unplaced_line(&learnt->unplaced, &learnt->catalog, head);
	return r < 0 ? no_memory(err) : 0;
}
