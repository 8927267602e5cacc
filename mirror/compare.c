#include "compare.h"

#include <errno.h>

/* Rows between two words to the progress bar. */
#define SAY_ROWS 4096

static int suspect(struct suspects *suspects, const struct sides *sides, const struct value *row,
                   enum suspect_verdict seems, struct err *err)
{
	struct suspect *found;

	return suspects_add(suspects, sides, row, seems, &found, err);
}

static int open_both(struct sides *sides, const char *from, struct err *err)
{
	char *source = sides_source_order(sides), *mirror = sides_mirror_order(sides);
	int rc = source && mirror ? 0 : err_set(err, -ENOMEM, "out of memory for a query");

	if (rc == 0)
		rc = sides_source_open(sides, sides->count ? "" : "NULL", sides->count ? 0 : 1, from, source, err);
	if (rc == 0)
		rc = sides_mirror_open(sides, mirror, err);
	sqlite3_free(source);
	sqlite3_free(mirror);
	return rc;
}

int compare_run(struct sides *sides, const char *from, struct suspects *suspects, struct progress *progress,
                uint64_t *rows, struct err *err)
{
	uint64_t said = 0, said_bytes = sides->bytes;
	int rc = open_both(sides, from, err), source = 0, mirror = 0;

	*rows = 0;
	if (rc == 0)
		rc = source = sides_source_next(sides, err);
	if (rc >= 0)
		rc = mirror = sides_mirror_next(sides, err);
	while (rc >= 0 && (source || mirror)) {
		int order = !source ? 1 : !mirror ? -1 : sides_order(sides);
		if (order < 0 || (order == 0 && !sides_same(sides, NULL)))
			rc = suspect(suspects, sides, sides->source,
			             order < 0 || !sides->keyed ? SUSPECT_MISSING : SUSPECT_DIFFERING, err);
		/* Without a key, two rows that are equal in order only are two rows. */
		if (rc >= 0 && (order > 0 || (order == 0 && !sides->keyed && !sides_same(sides, NULL))))
			rc = suspect(suspects, sides, sides->mirror, SUSPECT_EXTRA, err);
		if (rc >= 0 && order <= 0) {
			*rows += 1;
			rc = source = sides_source_next(sides, err);
		}
		if (rc >= 0 && order >= 0)
			rc = mirror = sides_mirror_next(sides, err);
		if (*rows - said >= SAY_ROWS) {
			progress_add(progress, *rows - said, sides->bytes - said_bytes);
			said = *rows;
			said_bytes = sides->bytes;
		}
	}
	progress_add(progress, *rows - said, sides->bytes - said_bytes);
	sides_source_close(sides);
	sides_mirror_close(sides);
	return rc < 0 ? rc : 0;
}
