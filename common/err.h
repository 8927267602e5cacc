/*
 * err.h - the sentence a person reads when something failed.
 *
 * Library functions return 0 (or a count) or a negative errno and write the
 * reason into a struct err that the caller owns; only programs print it. The
 * text names the thing, the reason and, where there is one, the remedy.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include <stdbool.h>

struct err {
	char text[1024]; /* NUL-terminated, UTF-8, one line; cut when longer */
};

/* Writes the sentence and returns `code`, so that `return err_set(...)` reads
 * as one step. `err` may be NULL: then only the code is passed on. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with ": <strerror(errno)>" appended, and, of a mount that nobody serves, the remedy; returns -errno. */
int err_errno(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "<text>: " before the sentence that is there; returns `code`. */
int err_prefix(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts what is to be done behind a sentence whose `code` is that of a full disk or quota; returns `code`. */
int err_full(struct err *err, int code);

/* What others sent may stand in a text that goes to terminals, logs and /status: it becomes one line without control
 * characters, valid UTF-8, of the same length. Sentences in a struct err and messages (log.h) are so already. */
void err_tidy(char *text);

/* Whether they say the same, but for numbers: what was said once need not be said at each attempt. */
bool err_same(const struct err *a, const struct err *b);

#endif
