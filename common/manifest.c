#include "manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "name.h"

/* ---- reading ------------------------------------------------------------ */

static bool parse_crc(struct span value, uint32_t *crc)
{
	char text[9] = "", *end;

	if (value.len != 8 || strspn(memcpy(text, value.at, 8), "0123456789abcdef") != 8)
		return false;
	*crc = (uint32_t)strtoul(text, &end, 16);
	return true;
}

static bool parse_number(struct span value, uint64_t *number)
{
	return value.len > 0 && position_parse_number(value.at, value.len, number) == value.len;
}

/* The raw text of a value, to be freed; NULL where it is `\N`, misspelt, or memory is out. */
static char *raw(struct span value)
{
	char *text = line_is_null(value) ? NULL : malloc(value.len + 1);
	long len = text ? line_unescape(text, value) : -1;

	if (len < 0 || memchr(text, 0, (size_t)len)) {
		free(text);
		return NULL;
	}
	text[len] = 0;
	return text;
}

static bool copy_name(char *to, size_t size, struct span value)
{
	char *text = raw(value);
	bool fits = text && strlen(text) < size;

	if (fits)
		strcpy(to, text);
	free(text);
	return fits;
}

static bool head_pair(struct manifest *manifest, struct span name, struct span value)
{
	struct origin *origin = &manifest->origin;
	uint64_t number;

	if (span_is(name, "snapshot"))
		return position_parse(value.at, value.len, &manifest->position);
	if (span_is(name, "lsn"))
		return lsn_parse(value.at, value.len, &manifest->lsn);
	if (span_is(name, "visible"))
		return !manifest->visible && (manifest->visible = raw(value));
	if (span_is(name, "tables"))
		return line_is_null(value) || (!manifest->tables && (manifest->tables = raw(value)));
	if (span_is(name, "system"))
		return parse_number(value, &origin->system);
	if (span_is(name, "generation"))
		return parse_number(value, &origin->generation);
	if (span_is(name, "timeline")) {
		if (!parse_number(value, &number) || number > UINT32_MAX)
			return false;
		origin->timeline = (uint32_t)number;
		return true;
	}
	if (span_is(name, "database"))
		return copy_name(origin->database, sizeof origin->database, value);
	if (span_is(name, "slot"))
		return copy_name(origin->slot, sizeof origin->slot, value);
	return true;
}

/* It is a file's name, too: it leads nowhere but into the snapshot's folder. */
static char *path_name(struct span value)
{
	char schema[NAME_RAW_MAX], table[NAME_RAW_MAX], *name = raw(value);

	if (name && name_split(name, strlen(name), schema, table))
		return name;
	free(name);
	return NULL;
}

static bool table_pair(struct manifest_table *table, struct span name, struct span value)
{
	if (span_is(name, "table"))
		return !table->name && (table->name = path_name(value));
	if (span_is(name, "rows"))
		return parse_number(value, &table->rows);
	if (span_is(name, "bytes"))
		return parse_number(value, &table->bytes);
	return span_is(name, "crc") ? parse_crc(value, &table->crc) : true;
}

static struct manifest_table *add_table(struct manifest *manifest)
{
	/* Grows at each power of two. */
	if ((manifest->count & (manifest->count - 1)) == 0) {
		size_t cap = manifest->count ? 2 * manifest->count : 1;
		struct manifest_table *more = realloc(manifest->list, cap * sizeof *more);
		if (!more)
			return NULL;
		manifest->list = more;
	}
	struct manifest_table *table = &manifest->list[manifest->count++];
	*table = (struct manifest_table){0};
	return table;
}

/* The line that begins at `text`; false where it does not follow the grammar. `ended`: it was the last. */
static bool parse_line(struct manifest *manifest, const char *text, struct span line, size_t before, bool *ended)
{
	struct span rest = line, name, value;
	struct manifest_table *table = NULL;
	uint64_t count = 0;
	uint32_t crc = 0;
	int n;

	if (line_next(&rest, &name, &value) != 1)
		return false;
	struct span kind = name;
	rest = line;
	if (span_is(kind, "table") && !(table = add_table(manifest)))
		return false;
	while ((n = line_next(&rest, &name, &value)) == 1) {
		bool good = true;
		if (span_is(kind, "snapshot"))
			good = head_pair(manifest, name, value);
		else if (table)
			good = table_pair(table, name, value);
		else if (span_is(name, "existing"))
			good = !manifest->existing && (manifest->existing = raw(value));
		else if (span_is(name, "overlap"))
			good = parse_number(value, &manifest->overlap_bytes);
		else if (span_is(name, "sums"))
			good = parse_number(value, &manifest->sums_bytes);
		else if (span_is(kind, "sums") && span_is(name, "crc"))
			good = parse_crc(value, &manifest->sums_crc);
		else if (span_is(name, "end"))
			good = parse_number(value, &count);
		else if (span_is(kind, "overlap") && span_is(name, "crc"))
			good = parse_crc(value, &manifest->overlap_crc);
		else if (span_is(kind, "end") && span_is(name, "crc"))
			good = parse_crc(value, &crc);
		if (!good)
			return false;
	}
	*ended = span_is(kind, "end");
	if (*ended)
		return n == 0 && count == manifest->count && crc == crc32c(0, text, before);
	return n == 0 && (!table || table->name);
}

int manifest_parse(struct manifest *manifest, const char *text, size_t len, struct err *err)
{
	bool ended = false;
	size_t at = 0;

	*manifest = (struct manifest){0};
	while (!ended) {
		const char *newline = len > at ? memchr(text + at, '\n', len - at) : NULL;
		struct span line = {text + at, newline ? (size_t)(newline - text) - at : 0};
		if (!newline || !parse_line(manifest, text, line, at, &ended))
			return err_set(err, -EBADMSG, "the snapshot's manifest is damaged at byte %zu", at);
		at += line.len + 1;
	}
	if (at != len || !manifest->visible || manifest->origin.generation == 0)
		return err_set(err, -EBADMSG, "the snapshot's manifest is damaged: it does not say what it has to");
	return 0;
}

void manifest_fini(struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++)
		free(manifest->list[i].name);
	free(manifest->list);
	free(manifest->visible);
	free(manifest->tables);
	free(manifest->existing);
	*manifest = (struct manifest){0};
}

/* ---- writing ------------------------------------------------------------ */

/* NULL: \N. In pieces, so that no memory is needed. */
static void put_escaped(FILE *out, const char *name, const char *text)
{
	char escaped[1024];

	fprintf(out, "%s\t%s", name, text ? "" : "\\N");
	for (size_t left = text ? strlen(text) : 0, n; left > 0; text += n, left -= n) {
		n = left < sizeof escaped / 2 ? left : sizeof escaped / 2;
		size_t escaped_len = line_escape(escaped, text, n);
		fwrite(escaped, 1, escaped_len, out);
	}
}

static void print(const struct manifest *manifest, FILE *out)
{
	const struct origin *origin = &manifest->origin;
	char position[POSITION_TEXT_MAX], lsn[LSN_TEXT_MAX];

	fprintf(out, "snapshot\t%s\tlsn\t%s", position_print(position, manifest->position),
	        lsn_print(lsn, manifest->lsn));
	put_escaped(out, "\tvisible", manifest->visible);
	put_escaped(out, "\ttables", manifest->tables);
	fprintf(out, "\tsystem\t%" PRIu64 "\ttimeline\t%" PRIu32, origin->system, origin->timeline);
	put_escaped(out, "\tdatabase", origin->database);
	put_escaped(out, "\tslot", origin->slot);
	fprintf(out, "\tgeneration\t%" PRIu64 "\n", origin->generation);
	if (manifest->existing)
		fprintf(out, "existing\t%s\n", manifest->existing);
	for (size_t i = 0; i < manifest->count; i++) {
		const struct manifest_table *table = &manifest->list[i];
		put_escaped(out, "table", table->name);
		fprintf(out, "\trows\t%" PRIu64 "\tbytes\t%" PRIu64 "\tcrc\t%08" PRIx32 "\n", table->rows, table->bytes,
		        table->crc);
	}
	fprintf(out, "overlap\t%" PRIu64 "\tcrc\t%08" PRIx32 "\n", manifest->overlap_bytes, manifest->overlap_crc);
	if (manifest->sums_bytes)
		fprintf(out, "sums\t%" PRIu64 "\tcrc\t%08" PRIx32 "\n", manifest->sums_bytes, manifest->sums_crc);
}

int manifest_print(const struct manifest *manifest, char **text, size_t *len, struct err *err)
{
	FILE *out = open_memstream(text, len);

	if (!out)
		return err_errno(err, "out of memory for a manifest");
	print(manifest, out);
	fflush(out);
	if (!ferror(out))
		fprintf(out, "end\t%zu\tcrc\t%08" PRIx32 "\n", manifest->count, crc32c(0, *text, *len));
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(*text);
		*text = NULL;
		return err_set(err, -ENOMEM, "out of memory for a manifest");
	}
	return 0;
}
