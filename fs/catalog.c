#include "catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/crc64.h>

#include "crc32c.h"

#define OFF_MOST (UINT64_MAX >> 1)

static uint32_t relid_of(const struct line_head *head)
{
	uint64_t relid;

	if (!head->relid.at || position_parse_number(head->relid.at, head->relid.len, &relid) != head->relid.len)
		return 0;
	return relid <= UINT32_MAX ? (uint32_t)relid : 0;
}

static uint64_t name_crc(struct span pairs)
{
	return crc64_ecma_refl(0, (const unsigned char *)pairs.at, pairs.len);
}

/* Where a name's entry is, or would be. */
static size_t place_of(const struct catalog *catalog, uint64_t crc)
{
	size_t low = 0, high = catalog->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (catalog->entries[middle].name_crc < crc)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct catalog_entry *catalog_named(const struct catalog *catalog, struct span pairs)
{
	uint64_t crc = name_crc(pairs);
	size_t at = place_of(catalog, crc);

	return at < catalog->count && catalog->entries[at].name_crc == crc ? &catalog->entries[at] : NULL;
}

static int by_off(const void *a, const void *b)
{
	const struct catalog_entry *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

void catalog_sort(struct catalog_entry *entries, size_t count)
{
	if (count)
		qsort(entries, count, sizeof *entries, by_off);
}

const struct catalog_entry *catalog_find(const struct catalog *catalog, const struct line_head *head)
{
	uint32_t relid = relid_of(head);

	for (size_t i = 0; i < catalog->count; i++)
		if (catalog->entries[i].relid == relid)
			return &catalog->entries[i];
	return NULL;
}

/* From the value of `_relid` to the end of the line. */
static struct span said(const struct line_head *head)
{
	const char *end = head->pairs.at ? head->pairs.at + head->pairs.len : head->action.at + head->action.len;

	return (struct span){head->relid.at, (size_t)(end - head->relid.at)};
}

bool catalog_same(const struct line_head *a, const struct line_head *b)
{
	if (!a->relid.at || !b->relid.at || !a->table_pairs.at || !b->table_pairs.at)
		return false;
	struct span x = said(a), y = said(b);
	return a->table_pairs.len == b->table_pairs.len &&
	       memcmp(a->table_pairs.at, b->table_pairs.at, a->table_pairs.len) == 0 && x.len == y.len &&
	       memcmp(x.at, y.at, x.len) == 0;
}

static void remove_entries(struct catalog *catalog, uint32_t relid, uint64_t crc)
{
	size_t kept = 0;

	catalog->keyless = 0;
	for (size_t i = 0; i < catalog->count; i++) {
		const struct catalog_entry *entry = &catalog->entries[i];
		if (entry->relid == relid || entry->name_crc == crc)
			continue;
		catalog->keyless += entry->keyless;
		catalog->entries[kept++] = *entry;
	}
	catalog->count = kept;
}

bool catalog_is(const struct catalog_entry *entry, const char *line)
{
	return crc32c(0, line, entry->len) == entry->crc;
}

int catalog_put(struct catalog *catalog, const struct line_head *head, uint64_t off, const char *line, size_t len)
{
	struct catalog_entry entry = {
	    .relid = relid_of(head), .len = (uint32_t)len, .crc = crc32c(0, line, len), .off = off & OFF_MOST};

	if (entry.relid == 0 || !head->table_pairs.at || len > UINT32_MAX)
		return -EBADMSG;
	entry.name_crc = name_crc(head->table_pairs);
	entry.keyless = head->key.at && line_is_null(head->key);
	/* A table whose name another one takes was renamed or dropped: the plugin tells
	 * its new name, if it has one. */
	remove_entries(catalog, entry.relid, entry.name_crc);

	if (catalog->count == catalog->cap) {
		size_t cap = catalog->cap ? catalog->cap * 2 : 16;
		struct catalog_entry *more = realloc(catalog->entries, cap * sizeof *more);
		if (!more)
			return -ENOMEM;
		catalog->entries = more;
		catalog->cap = cap;
	}
	size_t at = place_of(catalog, entry.name_crc);
	memmove(catalog->entries + at + 1, catalog->entries + at, (catalog->count - at) * sizeof entry);
	catalog->entries[at] = entry;
	catalog->count++;
	catalog->keyless += entry.keyless;
	return 0;
}

bool catalog_drop(struct catalog *catalog, const struct line_head *head)
{
	size_t before = catalog->count;

	if (head->table_pairs.at)
		remove_entries(catalog, 0, name_crc(head->table_pairs));
	return catalog->count < before;
}

int catalog_line(struct catalog *catalog, const struct line_head *head, uint64_t off, const char *line, size_t len)
{
	if (span_is(head->action, "schema"))
		return catalog_put(catalog, head, off, line, len) == -ENOMEM ? -ENOMEM : 0;
	if (span_is(head->action, "drop"))
		catalog_drop(catalog, head);
	return 0;
}

bool catalog_unplaced(const struct catalog *catalog, const struct line_head *head)
{
	if (catalog->keyless == 0 || !head->table_pairs.at ||
	    (!span_is(head->action, "update") && !span_is(head->action, "delete")))
		return false;
	const struct catalog_entry *entry = catalog_named(catalog, head->table_pairs);
	return entry && entry->keyless;
}

int catalog_copy(struct catalog *to, const struct catalog *from)
{
	struct catalog_entry *entries = malloc((from->count + 1) * sizeof *entries);

	if (!entries)
		return -ENOMEM;
	if (from->count)
		memcpy(entries, from->entries, from->count * sizeof *entries);
	free(to->entries);
	to->entries = entries;
	to->count = from->count;
	to->cap = from->count + 1;
	to->keyless = from->keyless;
	return 0;
}

void catalog_fini(struct catalog *catalog)
{
	free(catalog->entries);
	*catalog = (struct catalog){0};
}
