#include "defined.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "name.h"

void defined_init(struct defined *defined, struct segments *segments)
{
	*defined = (struct defined){.segments = segments};
}

void defined_fini(struct defined *defined)
{
	catalog_fini(&defined->catalog);
	catalog_fini(&defined->next);
}

/* ---- showing ------------------------------------------------------------ */

static int read_line(struct segment *segment, uint64_t off, size_t len, char **line, struct err *err)
{
	char name[SEGMENT_NAME_MAX];

	if (!(*line = malloc(len + 1)))
		return err_set(err, -ENOMEM, "out of memory for a definition");
	long n = bytes_read(segment, off, *line, len, err);
	if (n >= 0 && (size_t)n < len)
		n = err_set(err, -EIO, "segments/%s ends in the definition at %llu", segment_name(name, segment->first),
		            (unsigned long long)off);
	if (n < 0)
		free(*line);
	return n < 0 ? (int)n : 0;
}

static int take(struct catalog *catalog, struct segment *segment, const struct index_defined *at, struct err *err)
{
	struct line_head head;
	char *line;
	size_t len = at->len - 1;
	int r = read_line(segment, at->off, len, &line, err);

	if (r < 0)
		return r;
	if (line_parse(line, len, &head))
		r = catalog_line(catalog, &head, at->off, line, len);
	free(line);
	return r < 0 ? err_set(err, r, "out of memory for the definitions") : 0;
}

void defined_start(struct defined *defined, struct segment *newest, struct catalog *catalog)
{
	size_t count;

	free(index_take_defined(newest->index, &count));
	defined->catalog = *catalog;
	*catalog = (struct catalog){0};
	defined->segment = newest;
}

int defined_read(struct defined *defined, struct segment *newest, struct err *err)
{
	size_t count;
	struct index_defined *lines = index_take_defined(newest->index, &count);
	bool anew = defined->segment != newest;
	int r = 0;

	if (!count && !anew)
		return 0;
	if (!defined->changed && !anew && catalog_copy(&defined->next, &defined->catalog) < 0)
		r = err_set(err, -ENOMEM, "out of memory for the definitions");
	defined->changed = true;
	for (size_t i = 0; i < count && r == 0; i++)
		r = take(&defined->next, newest, &lines[i], err);
	free(lines);
	return r;
}

void defined_show(struct defined *defined, struct segment *newest)
{
	if (!defined->changed)
		return;
	catalog_fini(&defined->catalog);
	defined->catalog = defined->next;
	defined->next = (struct catalog){0};
	defined->segment = newest;
	defined->changed = false;
}

/* ---- looking ------------------------------------------------------------ */

static bool find(struct defined *defined, struct span pairs, struct catalog_entry *entry, size_t *number)
{
	pthread_rwlock_rdlock(&defined->segments->lock);
	const struct catalog_entry *found = catalog_named(&defined->catalog, pairs);
	if (found) {
		*entry = *found;
		*number = defined->segment->number;
	}
	pthread_rwlock_unlock(&defined->segments->lock);
	return found != NULL;
}

int defined_line(struct defined *defined, const char *name, char **line, size_t *len, struct err *err)
{
	char schema[NAME_RAW_MAX], table[NAME_RAW_MAX], pairs[NAME_PAIRS_MAX];
	struct catalog_entry entry;
	struct segment *segment;
	size_t pairs_len, number;
	int r = -ESTALE;

	if (!name_split(name, strlen(name), schema, table) || !(pairs_len = name_pairs(pairs, schema, table)))
		return 0;
	/* Again, where that segment was the newest when we looked, and is given up by now. */
	for (int tries = 0; tries < 2 && r == -ESTALE; tries++) {
		if (!find(defined, (struct span){pairs, pairs_len}, &entry, &number))
			return 0;
		r = segments_hold(defined->segments, number, &segment, err);
	}
	if (r < 0)
		return r;
	r = read_line(segment, entry.off, entry.len, line, err);
	segments_release(segment);
	*len = entry.len;
	return r < 0 ? r : 1;
}

static int list_one(struct segment *segment, const struct catalog_entry *entry,
                    int (*each)(const char *name, void *ctx), void *ctx, struct err *err)
{
	char *line, name[NAME_PATH_MAX];
	struct line_head head;
	int r = read_line(segment, entry->off, entry->len, &line, err);

	if (r < 0)
		return r;
	if (line_parse(line, entry->len, &head) && name_of_pairs(name, head.table_pairs))
		r = each(name, ctx);
	free(line);
	return r;
}

int defined_list(struct defined *defined, int (*each)(const char *name, void *ctx), void *ctx, struct err *err)
{
	struct catalog now = {0};
	struct segment *segment;

	pthread_rwlock_rdlock(&defined->segments->lock);
	int r = catalog_copy(&now, &defined->catalog);
	size_t number = defined->segment->number;
	pthread_rwlock_unlock(&defined->segments->lock);
	if (r < 0)
		return err_set(err, r, "out of memory for the list of definitions");
	if ((r = segments_hold(defined->segments, number, &segment, err)) == 0) {
		for (size_t i = 0; i < now.count && r == 0; i++)
			r = list_one(segment, &now.entries[i], each, ctx, err);
		segments_release(segment);
	}
	catalog_fini(&now);
	return r;
}
