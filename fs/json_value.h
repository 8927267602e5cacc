/*
 * json_value.h - a value's text, as the stream has it -> JSON, as its type wants it.
 *
 *     smallint integer bigint oid, real, double precision, numeric   a number with the same digits; NaN and
 *                                                                    infinities are strings
 *     boolean                                                        true, false
 *     json jsonb                                                     the value itself, its line breaks as spaces
 *     timestamp, with a time zone and without                        ISO 8601: 2024-06-30T06:30:00.5+00:00
 *     arrays of these and of the types below                         an array, but for one with bounds of its
 *                                                                    own ([0:1]={7,8}), which is a string
 *     all others (text, uuid, bytea as \x00ff, ...)                  a string: what is printed
 *
 * Each can be turned back into the very text, but for line breaks within json, and its null, which is that of NULL.
 */
#ifndef FS_JSON_VALUE_H
#define FS_JSON_VALUE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

enum json_kind { JSON_TEXT, JSON_NUMBER, JSON_BOOLEAN, JSON_JSON, JSON_TIMESTAMP };

struct json_form {
	enum json_kind kind;
	bool array; /* of that */
};

/* `base` as format_type prints it, of a domain the type below it. */
struct json_form json_form_of(const char *base);

/* `text` is raw, with a NUL behind it. NULL: out of memory. */
struct json_object *json_value(struct json_form type, const char *text, size_t len);

/* As it stands. */
struct json_object *json_text(const char *text, size_t len);

#endif
