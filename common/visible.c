#include "visible.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "position.h"

/* Takes a number off `*text`, and the byte `end` behind it; where `end` is 0, up to the end. */
static bool take(const char **text, const char *ends, char *end, uint64_t *number)
{
	size_t len = strcspn(*text, ends);

	if (len == 0 || position_parse_number(*text, len, number) != len)
		return false;
	*end = (*text)[len];
	*text += len + (*end != 0);
	return true;
}

static bool parse(struct visible *visible, const char *text)
{
	char end = 0;

	if (!take(&text, ":", &end, &visible->xmin) || end != ':' || !take(&text, ":", &end, &visible->xmax) ||
	    end != ':' || visible->xmin > visible->xmax)
		return false;
	while (*text) {
		uint64_t *at = &visible->running[visible->running_count];
		if (!take(&text, ",", &end, at) || *at < visible->xmin || *at >= visible->xmax ||
		    (visible->running_count > 0 && at[-1] >= *at))
			return false;
		visible->running_count++;
		if (end == ',' && !*text)
			return false;
	}
	return true;
}

int visible_parse(struct visible *visible, const char *text, struct err *err)
{
	size_t len = strlen(text);

	*visible = (struct visible){.text = strdup(text), .running = calloc(len / 2 + 1, sizeof *visible->running)};
	if (!visible->text || !visible->running)
		return err_set(err, -ENOMEM, "out of memory for a snapshot of %zu bytes", len);
	if (!parse(visible, text))
		return err_set(err, -EBADMSG, "\"%.100s\" is no snapshot as pg_current_snapshot() prints it", text);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

bool visible_has(const struct visible *visible, uint64_t xid)
{
	if (xid < visible->xmin || xid >= visible->xmax)
		return xid < visible->xmin;
	return !bsearch(&xid, visible->running, visible->running_count, sizeof xid, by_number);
}

void visible_fini(struct visible *visible)
{
	free(visible->text);
	free(visible->running);
	*visible = (struct visible){0};
}
