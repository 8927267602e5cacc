#include "resume.h"

#include <errno.h>

#include "fit.h"
#include "position.h"

static int another_history(const struct resume *resume, uint64_t lsn, struct err *err)
{
	char there[LSN_TEXT_MAX], held[LSN_TEXT_MAX];

	return err_set(
	    err, -EPROTO,
	    "the server's history at %s is not the one that this store holds (up to %s): an older copy of its "
	    "files was put back, and it has gone on from there; %s",
	    lsn_print(there, lsn), lsn_print(held, resume->lsn), fit_drop_first);
}

void resume_begin(struct resume *resume, uint64_t from_lsn)
{
	resume->wanted = resume->last_sum && from_lsn < resume->last_lsn;
}

bool resume_is_again(const struct resume *resume)
{
	return resume->wanted;
}

int resume_commit(struct resume *resume, uint64_t lsn, uint32_t sum, bool rows, struct err *err)
{
	bool wanted = resume->wanted;

	if (lsn < resume->last_lsn)
		return 1;
	resume->wanted = false;
	if (wanted && (lsn != resume->last_lsn || sum != resume->last_sum))
		return another_history(resume, lsn, err);
	if (lsn > resume->lsn)
		return 0;
	return rows && lsn > resume->last_lsn ? another_history(resume, lsn, err) : 1;
}

int resume_idle(struct resume *resume, uint64_t lsn, struct err *err)
{
	return resume->wanted && lsn > resume->last_lsn ? another_history(resume, lsn, err) : 0;
}
