#include "strangers.h"

#include <stdlib.h>
#include <uthash.h>

struct stranger {
	uint32_t relid;
	UT_hash_handle hh;
};

static struct stranger *find(struct stranger *strangers, uint32_t relid)
{
	struct stranger *stranger;

	HASH_FIND(hh, strangers, &relid, sizeof relid, stranger);
	return stranger;
}

bool strangers_add(struct stranger **strangers, uint32_t relid)
{
	if (find(*strangers, relid))
		return true;
	struct stranger *stranger = calloc(1, sizeof *stranger);
	if (!stranger)
		return false;
	stranger->relid = relid;
	HASH_ADD(hh, *strangers, relid, sizeof stranger->relid, stranger);
	return true;
}

bool strangers_take(struct stranger **strangers, uint32_t relid)
{
	struct stranger *stranger = find(*strangers, relid);

	if (!stranger)
		return false;
	HASH_DEL(*strangers, stranger);
	free(stranger);
	return true;
}

void strangers_free(struct stranger **strangers)
{
	struct stranger *stranger, *next;

	HASH_ITER(hh, *strangers, stranger, next)
	{
		HASH_DEL(*strangers, stranger);
		free(stranger);
	}
}
