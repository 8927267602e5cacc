#include "intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"

void intake_start(struct intake *intake, uint64_t resume_lsn)
{
	const struct source *source = intake->source;

	intake->resume = (struct resume){.lsn = resume_lsn,
	                                 .last_lsn = writer_appended_lsn(intake->writer),
	                                 .last_sum = writer_appended_sum(intake->writer)};
	intake->resuming = source->from_lsn && source->from_lsn < resume_lsn;
	uint64_t from_lsn = intake->resuming ? source->from_lsn : resume_lsn;
	resume_begin(&intake->resume, from_lsn);
	incoming_start(&intake->incoming, from_lsn);
	intake->idle_lsn = 0;
}

/* "tables\t<list>\texisting\t<OIDs>", escaped as the one value that it is. */
static int put_note(struct intake *intake, const char *existing, struct err *err)
{
	static const char lead[] = "_action\tmessage\tprefix\tdaystream\tcontent\t";
	const char *tables = intake->source->tables ? intake->source->tables : "";
	char *content = NULL, *line = NULL;
	int n = asprintf(&content, "tables\t%s\texisting\t%s", tables, existing), r = -ENOMEM;

	if (n >= 0 && (line = malloc(sizeof lead + 2 * (size_t)n))) {
		memcpy(line, lead, sizeof lead - 1);
		size_t len = sizeof lead - 1 + line_escape(line + sizeof lead - 1, content, (size_t)n);
		r = writer_note(intake->writer, line, len, tables);
	}
	if (n >= 0)
		free(content);
	free(line);
	return r < 0 ? err_set(err, r, "out of memory for the list of tables") : 0;
}

int intake_note(struct intake *intake, int wakefd, struct err *err)
{
	struct source *source = intake->source;
	char *existing = NULL;
	int r;

	if (intake->noted || !writer_appended_sum(intake->writer) ||
	    source->choice == durable_choice(writer_durable(intake->writer)))
		return 0;
	if ((r = source->ops->existing(source, &existing, wakefd, err)) == 0)
		r = put_note(intake, existing, err);
	free(existing);
	intake->noted = r == 0;
	return r;
}

uint64_t intake_confirmable(const struct intake *intake)
{
	return intake->resuming ? intake->source->from_lsn : durable_lsn(writer_durable(intake->writer));
}

/* With its first line that is not in force already. Definitions come once in a session of the server's: in another one there may
 * be no transaction that says no more. */
static int ensure_begun(struct intake *intake, struct err *err)
{
	int r = 0;

	while (!intake->begun && (r = writer_begin(intake->writer, intake->second, err)) == -EAGAIN)
		if ((r = intake->wait(intake->ctx, err)) < 0)
			return r;
	intake->begun = r == 0;
	return r;
}

static int put_line(struct intake *intake, const char *line, size_t len, const struct line_head *head, struct err *err)
{
	int r = intake->begun ? 0 : writer_has(intake->writer, head, err);

	if (r != 0)
		return r < 0 ? r : 0;
	return (r = ensure_begun(intake, err)) < 0 ? r : writer_line(intake->writer, line, len, head, err);
}

static bool is_row(struct span action)
{
	return span_is(action, "insert") || span_is(action, "update") || span_is(action, "delete") ||
	       span_is(action, "truncate");
}

static int commit_transaction(struct intake *intake, const char *line, const struct incoming_line *taken,
                              struct err *err)
{
	uint64_t lsn = taken->lsn;
	size_t len = taken->len;
	int r = 0;

	if (intake->resuming && (r = resume_commit(&intake->resume, lsn, crc32c(0, line, len), intake->rows, err)) < 0)
		return r;
	if (r == 1)
		return writer_rollback(intake->writer, err);
	if (intake->undefined) /* maybe it has rows of that table */
		return err_set(err, -EINTR, "a definition came with what is held");
	if (!intake->begun)
		return intake_idle(intake, lsn, err);
	while ((r = durable_unsettled(writer_durable(intake->writer), intake->source->choice, err)) == 0)
		if ((r = intake->wait(intake->ctx, err)) < 0)
			return r;
	if (r < 0)
		return r;
	if ((r = writer_commit(intake->writer, line, len, &taken->head, lsn, err)) < 0)
		return r;
	durable_choose(writer_durable(intake->writer), writer_appended(intake->writer), intake->source->choice);
	intake->resuming = false;
	intake->transactions++;
	intake->lines += intake->open_lines;
	return 0;
}

/* Definitions come once in a session of the server's. One of a table that was left out then is not held, and would not come with
 * the table's new rows. */
static void note_definition(struct intake *intake, const struct line_head *head)
{
	intake->undefined |= span_is(head->action, "schema") && !writer_knows(intake->writer, head);
}

/* The first one of what came; *len is its length then. */
static int take_line(struct intake *intake, const char *line, size_t *len, struct err *err)
{
	struct incoming_line taken;
	/* The writer sees none of it: it might begin a segment for what it has, with another position than the
	 * first that is new would give it. */
	bool again = intake->resuming && resume_is_again(&intake->resume);
	struct line_head head;
	size_t like_len = incoming_like(&intake->incoming, line, *len, &head);

	if (like_len > 0) {
		*len = like_len;
		intake->rows |= intake->resuming;
		intake->open_lines++;
		if (again || head.action.at)
			return again ? 0 : put_line(intake, line, like_len, &head, err);
		int r = ensure_begun(intake, err);
		return r < 0 ? r : writer_row(intake->writer, line, like_len, err);
	}
	int r = incoming_take(&intake->incoming, line, *len, &taken, err);
	if (r < 0)
		return r;
	*len = taken.len;
	intake->rows |= intake->resuming && is_row(taken.head.action);
	intake->open_lines++;
	switch (taken.kind) {
	case INCOMING_BEGIN:
		intake->rows = intake->begun = false;
		intake->second = taken.second;
		intake->open_lines = 0;
		return 0;
	case INCOMING_COMMIT: return commit_transaction(intake, line, &taken, err);
	default:
		if (again)
			note_definition(intake, &taken.head);
		return again ? 0 : put_line(intake, line, taken.len, &taken.head, err);
	}
}

int intake_lines(struct intake *intake, const char *data, size_t len, struct err *err)
{
	for (size_t line_len = len; len > 0; len -= line_len) {
		line_len = len;
		int r = take_line(intake, data, &line_len, err);
		if (r < 0)
			return r;
		line_len += line_len < len; /* its '\n' */
		data += line_len;
	}
	return 0;
}

int intake_idle(struct intake *intake, uint64_t lsn, struct err *err)
{
	int r;

	if (intake->incoming.open)
		return 0;
	if (intake->resuming && (r = resume_idle(&intake->resume, lsn, err)) < 0)
		return r;
	intake->resuming &= lsn < intake->resume.lsn;
	if (lsn > intake->idle_lsn)
		intake->idle_lsn = lsn;
	return 0;
}
