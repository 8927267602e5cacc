/*
 * fuzz_inserts.c - rows as COPY has them -> insert lines: one with as many values as columns is a line with these
 * values, or refused where these are no text of the format; any other is refused. The first byte says how many
 * columns, the second which are boolean.
 */
#include <errno.h>
#include <string.h>

#include "inserts.h"
#include "property.h"

static void check_line(const char *line, size_t len, const char *row, size_t row_len, unsigned columns,
                       uint8_t booleans)
{
	struct line_head head;
	struct span rest, name, value;
	const char *at = row, *end = row + row_len;

	must(len > 0 && line[len - 1] == '\n' && line_parse(line, len - 1, &head) && span_is(head.action, "insert"));
	rest = head.pairs;
	for (unsigned i = 0; i < columns; i++) {
		const char *tab = memchr(at, '\t', (size_t)(end - at));
		struct span given = {at, (size_t)((tab ? tab : end) - at)};
		must(line_next(&rest, &name, &value) == 1 && name.len == 3 && name.at[0] == 'c');
		if (booleans >> i & 1 && given.len == 1)
			must(span_is(value, *at == 't' ? "1" : "0"));
		else
			must(value.len == given.len && memcmp(value.at, given.at, given.len) == 0);
		at = tab ? tab + 1 : end;
	}
	must(line_next(&rest, &name, &value) == 0);
}

/* Nothing but printable ASCII, tabs between values, and no escape. */
static bool is_plain(const char *row, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (row[i] != '\t' && (row[i] < ' ' || row[i] > '~' || row[i] == '\\'))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char pairs[] = "_schema\ts\t_table\tt";
	struct inserts_format format;
	struct inserts inserts = {0};
	struct err err = {""};

	if (size < 2)
		return 0;
	unsigned columns = data[0] % 8;
	size_t len = size - 2;
	char *row = malloc(len ? len : 1);
	must(row);
	memcpy(row, data + 2, len);
	must(inserts_format_init(&format, (struct span){pairs, sizeof pairs - 1}, &err) == 0);
	for (unsigned i = 0; i < columns; i++)
		must(inserts_format_add(&format, (char[]){'c', '\t', 0}, data[1] >> i & 1, &err) == 0);

	size_t values = 1, had = 0;
	for (size_t i = 0; i < len; i++)
		values += row[i] == '\t';
	for (int round = 0; round < 2; round++) { /* behind another, too */
		int r = inserts_add(&inserts, &format, row, len, &err);
		bool as_many = columns ? values == columns : len == 0;
		must(as_many ? r == 0 || r == -EILSEQ : r == -EPROTO);
		must(r == 0 || (*err.text && inserts.len == had));
		must(r < 0 || data[1] ||
		     (line_utf8_len(row, len) == len && !memchr(row, 0, len) && !memchr(row, '\n', len)));
		must(r != -EILSEQ || !is_plain(row, len));
		if (r == 0)
			check_line(inserts.buf + had, inserts.len - had, row, len, columns, data[1]);
		had = inserts.len;
	}
	inserts_format_fini(&format);
	inserts_fini(&inserts);
	free(row);
	return 0;
}
