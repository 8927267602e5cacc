#include "truth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"

enum { PIECE = 60000 };

static uint64_t last_lsn(const struct truth *truth)
{
	return truth->list[truth->count - 1].lsn;
}

static int start(struct source *source, struct origin *origin, uint64_t resume_lsn, int wakefd, struct err *err)
{
	struct truth *truth = (struct truth *)source;

	(void)origin;
	(void)wakefd;
	(void)err;
	source->from_lsn =
	    truth->forgotten_lsn && truth->forgotten_lsn < resume_lsn ? truth->forgotten_lsn : resume_lsn;
	for (truth->next = 0; truth->next < truth->count && truth->list[truth->next].lsn <= source->from_lsn;)
		truth->next++;
	truth->sent = 0;
	truth->idle = false;
	return 0;
}

static int receive(struct source *source, struct source_event *event, struct err *err)
{
	struct truth *truth = (struct truth *)source;

	(void)err;
	if (truth->next == truth->count) {
		*event = (struct source_event){
		    .kind = truth->idle ? SOURCE_NOTHING : SOURCE_IDLE, .lsn = last_lsn(truth), .reply = true};
		truth->idle = true;
		return 0;
	}
	const struct transaction *now = &truth->list[truth->next];
	const char *at = now->at + truth->sent, *end = now->at + now->len;
	if (end - at > PIECE)
		end = memchr(at + PIECE, '\n', (size_t)(end - at - PIECE)) ?: end;
	*event = (struct source_event){.kind = SOURCE_LINES, .data = at, .len = (size_t)(end - at)};
	truth->sent = (size_t)(end - now->at) + 1;
	if (truth->sent > now->len) {
		truth->next++;
		truth->sent = 0;
	}
	return 0;
}

static int confirm(struct source *source, uint64_t lsn, struct err *err)
{
	struct truth *truth = (struct truth *)source;

	(void)err;
	if (lsn >= last_lsn(truth))
		sem_post(&truth->durable);
	return 0;
}

static int no_fd(const struct source *source)
{
	(void)source;
	return -1;
}

static uint64_t end_lsn(const struct source *source)
{
	return last_lsn((const struct truth *)source);
}

static void nothing(struct source *source)
{
	(void)source;
}

static const struct source_ops truth_ops = {start, receive, confirm, no_fd, end_lsn, nothing, nothing, NULL};

void truth_read(struct truth *truth, const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;

	must(file && (len = getdelim(&text, &cap, 0, file)) > 0);
	fclose(file);
	*truth = (struct truth){.source = {&truth_ops}};
	for (const char *at = text, *start = at, *end; at < text + len; at = end + 1) {
		struct line_head head;
		struct commit commit;
		must((end = strchr(at, '\n')) && line_parse(at, (size_t)(end - at), &head));
		if (!span_is(head.action, "commit"))
			continue;
		must(commit_parse(&head, &commit));
		must((truth->list = realloc(truth->list, (truth->count + 1) * sizeof *truth->list)));
		truth->list[truth->count++] = (struct transaction){start, (size_t)(end - start), commit.lsn};
		start = end + 1;
	}
	must(truth->count > 0);
}
