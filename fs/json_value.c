#include "json_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Those that are no plain strings, and those whose arrays are told by commas. */
static const struct {
	const char *name;
	enum json_kind kind;
} types[] = {
    {"smallint", JSON_NUMBER},
    {"integer", JSON_NUMBER},
    {"bigint", JSON_NUMBER},
    {"oid", JSON_NUMBER},
    {"real", JSON_NUMBER},
    {"double precision", JSON_NUMBER},
    {"numeric", JSON_NUMBER},
    {"boolean", JSON_BOOLEAN},
    {"json", JSON_JSON},
    {"jsonb", JSON_JSON},
    {"timestamp without time zone", JSON_TIMESTAMP},
    {"timestamp with time zone", JSON_TIMESTAMP},
    {"text", JSON_TEXT},
    {"character varying", JSON_TEXT},
    {"character", JSON_TEXT},
    {"name", JSON_TEXT},
    {"uuid", JSON_TEXT},
    {"bytea", JSON_TEXT},
    {"date", JSON_TEXT},
    {"time without time zone", JSON_TEXT},
    {"time with time zone", JSON_TEXT},
    {"interval", JSON_TEXT},
    {"inet", JSON_TEXT},
    {"cidr", JSON_TEXT},
};

/* Without what stands in parentheses: timestamp(3) with time zone. */
static bool plain_name(char *out, size_t size, const char *base)
{
	size_t len = 0;

	for (; *base; base++) {
		if (*base == '(' && !(base = strchr(base, ')')))
			return false;
		if (*base == ')')
			continue;
		if (len + 1 >= size)
			return false;
		out[len++] = *base;
	}
	out[len] = 0;
	return true;
}

struct json_form json_form_of(const char *base)
{
	struct json_form type = {.kind = JSON_TEXT};
	char name[64];

	if (!plain_name(name, sizeof name, base))
		return type;
	size_t len = strlen(name);
	bool array = len > 2 && strcmp(name + len - 2, "[]") == 0;
	if (array)
		name[len - 2] = 0;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(types[i].name, name) == 0) {
			type.kind = types[i].kind;
			type.array = array;
		}
	return type;
}

struct json_object *json_text(const char *text, size_t len)
{
	return json_object_new_string_len(text, (int)len);
}

/* A number, or JSON: printed as it stands. */
static struct json_object *raw(const char *text)
{
	return json_object_new_double_s(0, text);
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

static bool is_number(const char *text, size_t len)
{
	const char *at = text + (*text == '-');
	size_t n = digits(at);

	if (n == 0 || (*at == '0' && n > 1))
		return false;
	at += n;
	if (*at == '.') {
		if ((n = digits(at + 1)) == 0)
			return false;
		at += 1 + n;
	}
	if (*at == 'e' || *at == 'E') {
		at += 1 + (at[1] == '+' || at[1] == '-');
		if ((n = digits(at)) == 0)
			return false;
		at += n;
	}
	return at == text + len;
}

/* A line break stands between the tokens of JSON only, never in its strings. */
static struct json_object *embedded(const char *text)
{
	char *line = strdup(text);
	struct json_object *value = NULL;

	if (line) {
		for (char *at = line; (at = strpbrk(at, "\n\r")); at++)
			*at = ' ';
		value = raw(line);
	}
	free(line);
	return value;
}

/* 2024-06-30 06:30:00.5+00 BC -> 2024-06-30T06:30:00.5+00:00 BC; what is none stays. */
static struct json_object *timestamp(const char *text, size_t len)
{
	const char *space = memchr(text, ' ', len);
	char out[80];

	if (!space || !isdigit((unsigned char)*text) || len + 4 > sizeof out)
		return json_text(text, len);
	size_t to_space = (size_t)(space - text), sign = to_space + strcspn(space, "+-");
	size_t zone = text[sign] && digits(text + sign + 1) == 2 && text[sign + 3] != ':' ? sign + 3 : len;
	memcpy(out, text, zone);
	out[to_space] = 'T';
	size_t used = zone;
	if (text[sign] && zone == sign + 3) {
		memcpy(out + used, ":00", 3);
		used += 3;
	}
	memcpy(out + used, text + zone, len - zone);
	return json_text(out, used + len - zone);
}

static struct json_object *single(enum json_kind kind, const char *text, size_t len, const char *yes, const char *no)
{
	switch (kind) {
	case JSON_NUMBER: return is_number(text, len) ? raw(text) : json_text(text, len);
	case JSON_BOOLEAN:
		if (strcmp(text, yes) == 0 || strcmp(text, no) == 0)
			return json_object_new_boolean(strcmp(text, yes) == 0);
		return json_text(text, len);
	case JSON_JSON: return embedded(text);
	case JSON_TIMESTAMP: return timestamp(text, len);
	default: return json_text(text, len);
	}
}

/* ---- arrays: {1,NULL,"a \"b\""}, as array_out prints them ------------------ */

/* Takes an element off *at to `out` with a NUL. False where there is none. */
static bool take_element(const char **at, char *out, size_t *len, bool *is_null)
{
	const char *in = *at;
	bool quoted = *in == '"';

	*len = 0;
	in += quoted;
	while (*in && (quoted ? *in != '"' : !strchr(",{}\"", *in))) {
		if (*in == '\\' && !*++in)
			return false;
		out[(*len)++] = *in++;
	}
	out[*len] = 0;
	*is_null = !quoted && strcasecmp(out, "NULL") == 0;
	if (quoted && *in++ != '"')
		return false;
	*at = in;
	return quoted || *len > 0;
}

/* NULL: it is none, or out of memory. `room` has space for any element. */
static struct json_object *array(enum json_kind kind, const char **at, char *room)
{
	struct json_object *list = json_object_new_array();
	bool good = list && *(*at)++ == '{', more = good && **at != '}';

	while (good && more) {
		struct json_object *value = NULL;
		bool is_null = false;
		size_t len;
		if (**at == '{')
			value = array(kind, at, room);
		else if ((good = take_element(at, room, &len, &is_null)) && !is_null)
			value = single(kind, room, len, "t", "f");
		good = good && (value || is_null) && json_object_array_add(list, value) == 0;
		if (!good)
			json_object_put(value);
		more = good && **at == ',';
		*at += more;
	}
	if (good && *(*at)++ == '}')
		return list;
	json_object_put(list);
	return NULL;
}

struct json_object *json_value(struct json_form type, const char *text, size_t len)
{
	if (!type.array)
		return single(type.kind, text, len, "1", "0");
	char *room = malloc(len + 1);
	const char *at = text;
	struct json_object *list = room && *text == '{' ? array(type.kind, &at, room) : NULL;
	free(room);
	if (list && *at) {
		json_object_put(list);
		list = NULL;
	}
	return list ? list : json_text(text, len);
}
