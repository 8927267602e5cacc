#include "proof.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void proof_drop(struct proof *proof, struct position shown)
{
	size_t drop = 0;

	while (drop < proof->count && position_cmp(proof->marks[drop].last, shown) <= 0)
		drop++;
	proof->count -= drop;
	memmove(proof->marks, proof->marks + drop, proof->count * sizeof *proof->marks);
}

static void add(struct proof *proof, const struct confirmed *mark)
{
	const struct confirmed *newest = proof->count ? &proof->marks[proof->count - 1] : NULL;

	if (newest && position_cmp(newest->last, mark->last) > 0)
		return; /* an older copy of the file */
	if (newest && position_cmp(newest->last, mark->last) == 0)
		proof->count--; /* retention has been there since */
	else if (proof->count == PROOF_MARKS)
		proof_drop(proof, proof->marks[0].last);
	proof->marks[proof->count++] = *mark;
}

int proof_look(struct proof *proof, int store_dirfd, struct position shown, struct err *err)
{
	struct confirmed_file file;
	int r = confirmed_open(&file, store_dirfd, false, err);

	confirmed_close(&file);
	if (r < 0)
		return r;
	/* Of a new generation that is being made, nothing is known to be on disk. */
	if (file.counter > 0 && file.now.last.epoch == 0)
		return 0;
	if (file.counter == 0 || file.now.segment.epoch == 0)
		return err_set(
		    err, -EAGAIN,
		    file.counter == 0
		        ? "there is no STORE/confirmed that can be read, which tells what is on the writer's disk: it "
		          "belongs to the store, copy it, too"
		        : "STORE/confirmed is an older daystreamfs's: start this one where the store "
		          "is written");
	if (position_cmp(file.now.oldest, proof->oldest) > 0)
		proof->oldest = file.now.oldest;
	if (position_cmp(file.now.last, shown) > 0)
		add(proof, &file.now);
	return 0;
}

int proof_sum(const struct confirmed *mark, uint64_t bytes, struct err *err)
{
	if (bytes == mark->sealed)
		return 0;
	return err_set(err, -EAGAIN,
	               "of the segments before the newest, %" PRIu64 " bytes are here, and there have to be %" PRIu64,
	               bytes, mark->sealed);
}
