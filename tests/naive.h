/*
 * naive.h - random transactions of some tables for the unit tests, and the naive answer: the whole
 * stream, read line by line.
 */
#ifndef TESTS_NAIVE_H
#define TESTS_NAIVE_H

#include "fixture.h"

enum { TABLES = 9 };
static const char *const table_pairs[TABLES] = {"_table\ta",
                                                "_table\tab",
                                                "_table\tA\\tb",
                                                "_schema\ts\t_table\ta",
                                                "_schema\ts\t_table\tab",
                                                "_table\trare",
                                                "_table\tlate",
                                                "_schema\tpublic2\t_table\tx\\\\y",
                                                "_table\tonce"};
static const char *const table_names[TABLES] = {"a",    "ab",   "A%09b",        "s.a", "s.ab",
                                                "rare", "late", "public2.x\\y", "once"};

static uint64_t seed = 1;

static inline uint64_t any(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % below;
}

static inline size_t any_len(void)
{
	switch (any(40)) {
	case 0: return 60000 + any(20000);
	case 1: return any(3000);
	case 2: return any(200) == 0 ? 256 * 1024 + any(300000) : any(10);
	default: return any(150);
	}
}

static inline int any_table(int i, int of)
{
	uint64_t pick = any(100);

	if (i == of / 3 && pick < 20)
		return 8;
	if (pick < 2)
		return 5;
	if (pick < 30 && i > of * 3 / 4)
		return 6;
	return (int)(any(5) < 2 ? any(5) : any(2)); /* runs of the same */
}

static inline void put_line(struct fixture *f, int table)
{
	size_t len = any_len();
	char *line = malloc(len + 200);

	must(line);
	int n = sprintf(line, "%s\t_xid\t%u\t_action\tinsert\tv\t", table_pairs[table], f->xid);
	memset(line + n, 'a' + (int)any(26), len);
	len += (size_t)n;
	line[len] = 0;
	works(fixture_try_line(f, line), f->err);
	free(line);
}

static inline void put_transaction(struct fixture *f, int i, int of)
{
	fixture_begin(f, fixture_second + (uint64_t)i / 3 + any(3));
	int lines = any(30) == 0 ? 300 : (int)any(8);
	for (int k = 0; k < lines; k++)
		put_line(f, any_table(i, of));
	fixture_commit(f);
}

/* A line of the naive answer. */
struct naive_line {
	struct position position;
	int table; /* -1: none of ours */
	size_t off, len;
};

/* The whole stream, read line by line. */
struct naive {
	char *text;
	size_t len, count;
	struct naive_line *lines;
	char *table[TABLES];
	size_t table_len[TABLES];
	size_t *table_at[TABLES]; /* [line]: the table's bytes before it */
};

static inline int table_of(const struct line_head *head)
{
	for (int i = 0; i < TABLES && head->table_pairs.at; i++)
		if (span_is(head->table_pairs, table_pairs[i]))
			return i;
	return -1;
}

/* Reads a copy of the stream that store_read gave. */
static inline void naive_read(struct naive *n, char *text, size_t len)
{
	size_t cap = 0;

	*n = (struct naive){.text = text, .len = len};
	for (int t = 0; t < TABLES; t++)
		must((n->table[t] = malloc(len + 1)));
	for (size_t off = 0; off < len;) {
		char *end = memchr(text + off, '\n', len - off);
		struct line_head head;
		must(end && line_parse(text + off, (size_t)(end - text) - off, &head));
		if (n->count == cap) {
			cap = cap ? cap * 2 : 1024;
			must((n->lines = realloc(n->lines, cap * sizeof *n->lines)));
			for (int t = 0; t < TABLES; t++)
				must((n->table_at[t] = realloc(n->table_at[t], (cap + 1) * sizeof(size_t))));
		}
		struct naive_line *line = &n->lines[n->count];
		*line = (struct naive_line){head.position, table_of(&head), off, (size_t)(end - text) + 1 - off};
		for (int t = 0; t < TABLES; t++)
			n->table_at[t][n->count] = n->table_len[t];
		if (line->table >= 0) {
			memcpy(n->table[line->table] + n->table_len[line->table], text + off, line->len);
			n->table_len[line->table] += line->len;
		}
		off += line->len;
		n->count++;
	}
	for (int t = 0; t < TABLES; t++)
		n->table_at[t][n->count] = n->table_len[t];
}

static inline void naive_free(struct naive *n)
{
	for (int t = 0; t < TABLES; t++) {
		free(n->table[t]);
		free(n->table_at[t]);
	}
	free(n->lines);
	free(n->text);
}

/* The first line at or after the position. */
static inline size_t naive_find(const struct naive *n, struct position position)
{
	size_t i = 0;

	while (i < n->count && position_cmp(n->lines[i].position, position) < 0)
		i++;
	return i;
}

#endif
