#include "lacking.h"

#include <errno.h>
#include <stdlib.h>

#include "hash.h"

/* Either a name, as it begins lines, or a relid. */
struct lacking_known {
	bool used; /* by what the copy lacks */
	UT_hash_handle hh;
	size_t len;
	char bytes[];
};

static struct lacking_known *find(const struct lacking *lacking, struct span bytes)
{
	struct lacking_known *known = NULL;

	if (bytes.at)
		HASH_FIND(hh, lacking->known, bytes.at, bytes.len, known);
	return known;
}

static int add(struct lacking *lacking, struct span bytes, bool used, struct err *err)
{
	struct lacking_known *known = find(lacking, bytes);

	if (!known) {
		if (!(known = calloc(1, sizeof *known + bytes.len)))
			return err_set(err, -ENOMEM, "out of memory for the names of tables");
		known->len = bytes.len;
		memcpy(known->bytes, bytes.at, bytes.len);
		HASH_ADD_KEYPTR(hh, lacking->known, known->bytes, known->len, known);
	}
	known->used |= used;
	return 0;
}

int lacking_know(struct lacking *lacking, struct span pairs, struct err *err)
{
	return add(lacking, pairs, false, err);
}

static bool is_used(const struct lacking *lacking, struct span bytes)
{
	const struct lacking_known *known = find(lacking, bytes);

	return known && known->used;
}

static bool goes_together(struct lacking *lacking, bool lacks, const struct line_head *head)
{
	bool defines = span_is(head->action, "schema") || span_is(head->action, "drop");

	if (!lacks)
		return !defines || !(is_used(lacking, head->table_pairs) || is_used(lacking, head->relid));
	return defines || find(lacking, head->table_pairs); /* else nobody has the name any more */
}

int lacking_line(struct lacking *lacking, bool lacks, const struct line_head *head, struct err *err)
{
	bool same = head->same || !head->table.at; /* as the line before, or of no table */

	if (*lacking->changed && span_is(head->action, "commit"))
		return err_set(err, -EAGAIN,
		               "a transaction is not to be seen yet (its commit waits for a synchronous standby, "
		               "maybe), and behind it its table's name, or how its values print, was changed (%s): "
		               "again, once it is",
		               lacking->changed);
	if (!*lacking->changed && !same && !goes_together(lacking, lacks, head))
		name_of_pairs(lacking->changed, head->table_pairs);
	if (*lacking->changed || !lacks || same)
		return *lacking->changed != 0;
	int rc = add(lacking, head->table_pairs, true, err);
	return rc == 0 && head->relid.at ? add(lacking, head->relid, true, err) : rc;
}

void lacking_fini(struct lacking *lacking)
{
	struct lacking_known *known, *next;

	HASH_ITER(hh, lacking->known, known, next)
	{
		HASH_DEL(lacking->known, known);
		free(known);
	}
	*lacking->changed = 0;
}
