#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "line.h"

/* The control characters of ISO 8859, which terminals obey, too, have two bytes. */
static bool is_control(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	return c[0] < ' ' || c[0] == 0x7f || (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0);
}

void err_tidy(char *text)
{
	size_t len = strlen(text), whole;

	for (size_t i = 0; i < len; i++)
		if (is_control(text + i)) {
			if ((unsigned char)text[i] == 0xc2)
				text[i++] = ' ';
			text[i] = ' ';
		}
	while ((whole = line_utf8_len(text, len)) < len)
		text[whole] = '?';
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	if (err) {
		va_list args;
		va_start(args, fmt);
		vsnprintf(err->text, sizeof err->text, fmt, args);
		va_end(args);
		err_tidy(err->text);
	}
	return code;
}

/* A mount whose process has ended. */
static const char dead[] =
    "; nobody serves this mount any more: start daystreamfs (or sshfs) again, or run fusermount3 -u";

int err_errno(struct err *err, const char *fmt, ...)
{
	int saved = errno;

	if (err) {
		va_list args;
		va_start(args, fmt);
		int n = vsnprintf(err->text, sizeof err->text, fmt, args);
		va_end(args);
		if (n >= 0 && (size_t)n < sizeof err->text)
			snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s%s", strerror(saved),
			         saved == ENOTCONN ? dead : "");
		err_tidy(err->text);
	}
	return -saved;
}

int err_prefix(struct err *err, int code, const char *fmt, ...)
{
	if (err) {
		struct err inner = *err;
		va_list args;
		va_start(args, fmt);
		int n = vsnprintf(err->text, sizeof err->text, fmt, args);
		va_end(args);
		if (n >= 0 && (size_t)n < sizeof err->text)
			snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", inner.text);
		err_tidy(err->text);
	}
	return code;
}

int err_full(struct err *err, int code)
{
	static const char remedy[] = "; make room on that disk";
	size_t len = err ? strlen(err->text) : 0;

	if (err && (code == -ENOSPC || code == -EDQUOT) && !strstr(err->text, "make room") &&
	    len + sizeof remedy <= sizeof err->text)
		memcpy(err->text + len, remedy, sizeof remedy);
	return code;
}

bool err_same(const struct err *a, const struct err *b)
{
	static const char digits[] = "0123456789";
	const char *x = a->text, *y = b->text;

	while (*x && *y) {
		size_t x_len = strspn(x, digits), y_len = strspn(y, digits);

		if (x_len > 0 && y_len > 0) {
			x += x_len;
			y += y_len;
		} else if (*x++ != *y++) {
			return false;
		}
	}
	return *x == *y;
}
