#include "inserts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sound.h"

enum { BUFFER_KEPT = 4 << 20 };

int inserts_format_init(struct inserts_format *format, struct span pairs, struct err *err)
{
	static const char action[] = "\t_action\tinsert";

	*format = (struct inserts_format){.head_len = pairs.len + sizeof action - 1};
	if (!(format->head = malloc(format->head_len + 1)))
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(format->head, pairs.at, pairs.len);
	memcpy(format->head + pairs.len, action, sizeof action);
	return 0;
}

void inserts_format_fini(struct inserts_format *format)
{
	for (size_t i = 0; i < format->count; i++)
		free(format->columns[i].lead);
	free(format->columns);
	free(format->head);
	*format = (struct inserts_format){0};
}

int inserts_format_add(struct inserts_format *format, const char *name, bool boolean, struct err *err)
{
	struct inserts_column *more = realloc(format->columns, (format->count + 1) * sizeof *more);
	size_t len = strlen(name);
	char *lead = malloc(2 * len + 2);

	if (more)
		format->columns = more;
	if (!more || !lead) {
		free(lead);
		return err_set(err, -ENOMEM, "out of memory for a table's columns");
	}
	lead[0] = '\t';
	len = 1 + line_escape(lead + 1, name, len);
	lead[len++] = '\t';
	more[format->count++] = (struct inserts_column){lead, len, boolean};
	format->leads_len += len;
	/* cppcheck-suppress memleak ; it is the format's */
	return 0;
}

static bool reserve(struct inserts *inserts, size_t len)
{
	if (inserts->cap - inserts->len >= len)
		return true;
	size_t cap = inserts->cap ? inserts->cap : 64 << 10;
	while (cap - inserts->len < len)
		cap *= 2;
	char *more = realloc(inserts->buf, cap);
	if (!more)
		return false;
	inserts->buf = more;
	inserts->cap = cap;
	return true;
}

static inline char *put(char *out, const char *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}

static int other_values(const struct inserts_format *format, struct err *err)
{
	return err_set(err, -EPROTO, "the server's copy has a row of other than %zu values", format->count);
}

/* Text of a database may be no text: from before a check that newer servers make, by a cast, or under SQL_ASCII. */
static int no_text(const struct inserts_format *format, const char *pairs, size_t len, struct err *err)
{
	bool sound;

	for (size_t i = 0; i < format->count; i++) {
		const struct inserts_column *column = &format->columns[i];
		const char *value = pairs + column->lead_len, *tab = memchr(value, '\t', (size_t)(pairs + len - value));
		size_t pair_len = tab ? (size_t)(tab - pairs) : len;
		if (sound_line(pairs + 1, pair_len - 1, &sound) < pair_len - 1 || !sound)
			return err_set(
			    err, -EILSEQ,
			    "a value of column \"%.*s\" is no UTF-8, which all text has to be in: mend it on "
			    "the server, or leave the table out",
			    (int)column->lead_len - 2, column->lead + 1);
		pairs += pair_len;
		len -= pair_len;
	}
	return err_set(err, -EILSEQ, "its name is no UTF-8, which all text has to be in: rename it");
}

int inserts_add(struct inserts *inserts, const struct inserts_format *format, const char *copied, size_t len,
                struct err *err)
{
	const char *at = copied, *end = copied + len;

	if (!reserve(inserts, format->head_len + format->leads_len + len + 1))
		return err_set(err, -ENOMEM, "out of memory for a row of %zu bytes", len);
	char *line = inserts->buf + inserts->len, *out = put(line, format->head, format->head_len);
	for (size_t i = 0; i < format->count; i++) {
		const struct inserts_column *column = &format->columns[i];
		const char *tab = memchr(at, '\t', (size_t)(end - at));
		bool last = i + 1 == format->count;

		if (last != !tab)
			return other_values(format, err);
		size_t value_len = (size_t)((tab ? tab : end) - at);
		out = put(out, column->lead, column->lead_len);
		if (column->boolean && value_len == 1)
			*out++ = *at == 't' ? '1' : '0';
		else
			out = put(out, at, value_len);
		at += value_len + !last;
	}
	if (at != end)
		return other_values(format, err);
	bool sound;
	size_t line_len = (size_t)(out - line);
	if (sound_line(line, line_len, &sound) < line_len || !sound)
		return no_text(format, line + format->head_len, line_len - format->head_len, err);
	*out++ = '\n';
	inserts->len = (size_t)(out - inserts->buf);
	inserts->count++;
	return 0;
}

void inserts_empty(struct inserts *inserts)
{
	inserts->len = 0;
	inserts->count = 0;
	if (inserts->cap > BUFFER_KEPT)
		inserts_fini(inserts);
}

void inserts_fini(struct inserts *inserts)
{
	free(inserts->buf);
	*inserts = (struct inserts){0};
}
