#include "shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "name.h"
#include "scan.h"

enum { SHAPES_MOST = 4096, WINDOW = 256 << 10, HEAD_MAX = 4096 };

struct entry {
	struct shape shape;
	char *pairs; /* line.h: table_pairs */
	UT_hash_handle hh;
};

struct shapes {
	struct stream *stream;
	struct entry *entries;
};

static void remove_entry(struct shapes *shapes, struct entry *entry)
{
	HASH_DEL(shapes->entries, entry);
	definition_fini(&entry->shape.definition);
	free(entry->shape.types);
	free(entry->pairs);
	free(entry);
}

static void forget_all(struct shapes *shapes)
{
	struct entry *next;

	for (struct entry *entry = shapes->entries; entry; entry = next) {
		next = entry->hh.next;
		remove_entry(shapes, entry);
	}
}

struct shapes *shapes_new(struct stream *stream)
{
	struct shapes *shapes = calloc(1, sizeof *shapes);

	if (shapes)
		shapes->stream = stream;
	return shapes;
}

void shapes_free(struct shapes *shapes)
{
	if (!shapes)
		return;
	forget_all(shapes);
	free(shapes);
}

static struct entry *find(const struct shapes *shapes, struct span pairs)
{
	struct entry *entry;

	HASH_FIND(hh, shapes->entries, pairs.at, pairs.len, entry);
	return entry;
}

static int put(struct shapes *shapes, const struct line_head *head, struct err *err)
{
	struct entry *entry = find(shapes, head->table_pairs);

	if (entry)
		remove_entry(shapes, entry);
	if (HASH_COUNT(shapes->entries) >= SHAPES_MOST)
		forget_all(shapes);
	if (!(entry = calloc(1, sizeof *entry)))
		return err_set(err, -ENOMEM, "out of memory");
	int r = definition_parse(&entry->shape.definition, head, err);
	const struct definition *definition = &entry->shape.definition;
	entry->pairs = malloc(head->table_pairs.len);
	entry->shape.types = calloc(definition->column_count + 1, sizeof *entry->shape.types);
	if (r == 0 && (!entry->pairs || !entry->shape.types))
		r = err_set(err, -ENOMEM, "out of memory");
	if (r < 0) {
		definition_fini(&entry->shape.definition);
		free(entry->shape.types);
		free(entry->pairs);
		free(entry);
		return r;
	}
	for (unsigned i = 0; i < definition->column_count; i++)
		entry->shape.types[i] = json_form_of(definition->columns[i].base);
	memcpy(entry->pairs, head->table_pairs.at, head->table_pairs.len);
	HASH_ADD_KEYPTR(hh, shapes->entries, entry->pairs, head->table_pairs.len, entry);
	return 0;
}

int shapes_note(struct shapes *shapes, const struct line_head *head, struct err *err)
{
	struct entry *entry;

	if (span_is(head->action, "schema"))
		return put(shapes, head, err);
	if (span_is(head->action, "drop") && (entry = find(shapes, head->table_pairs)))
		remove_entry(shapes, entry);
	return 0;
}

/* ---- looking back --------------------------------------------------------- */

static long read_file(void *ctx, uint64_t off, char *buf, size_t len, struct err *err)
{
	return stream_file_read(ctx, off, buf, len, err);
}

/* Whether a `schema` line of the table starts there. */
static bool is_schema(struct span pairs, const char *at, const char *end)
{
	const char *const xid = "\t_xid\t", *const relid = "\t_relid\t";

	for (int tabs = 0; tabs < 4; tabs++) /* _c, its value, _s, its value */
		if (!(at = memchr(at, '\t', (size_t)(end - at))) || ++at == end)
			return false;
	at += pairs.len;
	if (end - at > 6 && memcmp(at, xid, 6) == 0 && !(at = memchr(at + 6, '\t', (size_t)(end - at - 6))))
		return false;
	return end - at > 8 && memcmp(at, relid, 8) == 0;
}

/* The last `schema` line that starts in [0, *to): 1, and *to is where. */
static int find_back(struct stream_file *file, struct span pairs, uint64_t *to, struct err *err)
{
	char *buf = malloc(1 + WINDOW + HEAD_MAX);
	uint64_t end = *to;
	long n = buf ? 0 : err_set(err, -ENOMEM, "out of memory");
	int found = 0;

	while (n >= 0 && !found && *to > 0) {
		uint64_t from = *to > WINDOW ? *to - WINDOW - 1 : 0; /* and the line break before a line */
		size_t want = (size_t)(*to - from), all = end - *to > HEAD_MAX ? want + HEAD_MAX : (size_t)(end - from);
		if ((n = stream_file_read(file, from, buf, all, err)) < (long)all) {
			n = n < 0 ? n : err_set(err, -ENOTCONN, "a table's file is shorter than it told");
			break;
		}
		for (size_t at = want; !found && at > 0;) {
			const char *newline = memrchr(buf, '\n', at - 1);
			at = newline ? (size_t)(newline - buf) + 1 : 0;
			found = (newline || from == 0) && is_schema(pairs, buf + at, buf + all);
			*to = from + at;
		}
		if (!found && from > 0)
			*to = from + 1;
	}
	free(buf);
	return n < 0 ? (int)n : found;
}

/* How much of the table's file stands before the position. Both grow. */
static int length_before(struct stream_file *all, struct stream_file *since, uint64_t *before, struct err *err)
{
	uint64_t whole = 0, behind, again = 0;
	int r;

	do {
		if ((r = stream_file_len(since, &behind, err)) < 0 || (r = stream_file_len(all, &whole, err)) < 0 ||
		    (r = stream_file_len(since, &again, err)) < 0)
			return r;
	} while (behind != again);
	if (whole < behind)
		return err_set(err, -ESTALE, "a line's table was given up while it was read");
	*before = whole - behind;
	return 0;
}

static int look_back(struct shapes *shapes, struct stream_file *all, struct stream_file *since,
                     const struct line_head *head, struct err *err)
{
	struct line_head schema;
	struct scan scan;
	const char *line;
	uint64_t to = 0, off;
	size_t len;
	int r = length_before(all, since, &to, err);

	if (r < 0 || (r = find_back(all, head->table_pairs, &to, err)) < 0)
		return r;
	if (r == 0)
		return err_set(err, -EBADMSG, "no schema line of its table stands before a line");
	if ((r = scan_init_read(&scan, read_file, all, to, UINT64_MAX, err)) < 0)
		return r;
	r = scan_next(&scan, &line, &len, &off, err);
	if (r >= 0)
		r = r == 1 && line_parse(line, len, &schema) && span_is(schema.action, "schema")
		        ? put(shapes, &schema, err)
		        : err_set(err, -EBADMSG, "a schema line cannot be read");
	scan_fini(&scan);
	return r;
}

int shapes_get(struct shapes *shapes, const struct line_head *head, const struct shape **shape, struct err *err)
{
	struct entry *entry = find(shapes, head->table_pairs);
	struct stream_file *all = NULL, *since = NULL;
	char name[NAME_PATH_MAX], at[POSITION_TEXT_MAX];
	int r = 0;

	if (!entry) {
		if (!name_of_pairs(name, head->table_pairs))
			r = err_set(err, -EBADMSG, "a line of no table");
		if (r == 0)
			r = stream_file_open(&since, shapes->stream, name, &head->position, err);
		if (r == 0)
			r = stream_file_open(&all, shapes->stream, name, NULL, err);
		if (r == 0)
			r = look_back(shapes, all, since, head, err);
		stream_file_close(all);
		stream_file_close(since);
		entry = r == 0 ? find(shapes, head->table_pairs) : NULL;
	}
	if (entry)
		*shape = &entry->shape;
	return entry ? 0
	             : err_prefix(err, r < 0 ? r : -EBADMSG, "the definition for the line %s",
	                          position_print(at, head->position));
}
