/*
 * recovered.h - a store of three transactions for the unit tests, as crashes, disks and people leave it.
 */
#ifndef TESTS_RECOVERED_H
#define TESTS_RECOVERED_H

#include "fixture.h"

#include <sys/wait.h>

/* Three transactions, closed; the mark covers all of them. */
static inline int setup(void **state)
{
	struct fixture *f = malloc(sizeof *f);

	must(f);
	fixture_start(f, FIXTURE_SEGMENT);
	for (int i = 0; i < 3; i++)
		fixture_put(f, fixture_second + 10, "zzz", "fox61");
	fixture_close(f);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	fixture_end(f);
	free(f);
	return 0;
}

/* The mark as it stood before what `more` appends. */
static inline void append_behind_mark(struct fixture *f, int transactions)
{
	size_t len;
	char *mark = fixture_read(f, "confirmed", &len);

	fixture_open(f, FIXTURE_SEGMENT);
	for (int i = 0; i < transactions; i++)
		fixture_put(f, fixture_second + 20, "zzz", "behind the mark");
	fixture_close(f);
	fixture_write(f, "confirmed", mark, len);
	free(mark);
}

static inline void lose_mark(struct fixture *f)
{
	fixture_unlink(f, "confirmed");
}

static inline size_t offset_of(struct fixture *f, const char *what, int nth)
{
	size_t len;
	char *text = fixture_read(f, "*.day", &len), *at = text;

	for (int i = 0; i < nth; i++)
		must((at = memmem(at + 1, len - (size_t)(at + 1 - text), what, strlen(what))));
	size_t off = (size_t)(at - text);
	free(text);
	return off;
}

/* It opens, and shows exactly what the file held up to `len`. */
static inline void opens_with(struct fixture *f, size_t len)
{
	size_t want_len, shown_len;
	char *want = fixture_read(f, "*.day", &want_len);

	fixture_open(f, FIXTURE_SEGMENT);
	char *shown = fixture_shown(f->store, &shown_len);
	assert_int_equal(shown_len, len);
	assert_memory_equal(shown, want, len);
	assert_int_equal(fixture_size(f, "*.day"), len);
	free(shown);
	free(want);
}

/* Another process opens it, and ends without a word. */
static inline void killed_after_open(struct fixture *f)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (pid == 0) {
		bool good = store_open(&f->store, f->path, STORE_WRITE, &f->err) == 0 &&
		            writer_open(&f->writer, f->store, FIXTURE_SEGMENT, &f->err) == 0;
		_exit(good ? 0 : 1);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0);
}

/* Nothing is changed, and the sentence names what is in `names`. */
static inline void refused(struct fixture *f, const char *const *names)
{
	size_t len, now_len;
	char *before = fixture_read(f, "*.day", &len);

	assert_int_equal(store_open(&f->store, f->path, STORE_WRITE, &f->err), -EBADMSG);
	assert_null(f->store);
	for (; *names; names++)
		if (!strstr(f->err.text, *names))
			fail_msg("\"%s\" does not say \"%s\"", f->err.text, *names);
	char *now = fixture_read(f, "*.day", &now_len);
	assert_int_equal(now_len, len);
	assert_memory_equal(now, before, len);
	free(before);
	free(now);
}
#define refused_naming(f, ...) refused(f, (const char *const[]){__VA_ARGS__, NULL})

#endif
