/*
 * as_json.h - a line of the stream as one JSON object, in one line (docs/FORMAT.md, As JSON).
 *
 *     {"position":"1507507200.10","time":"2017-10-09T00:00:00Z","schema":"public","table":"zzz","xid":88628916,
 *      "action":"update","row":{"a":"fox61","b":"hen62"}}
 */
#ifndef FS_AS_JSON_H
#define FS_AS_JSON_H

#include "shape.h"

/* Whether a line's values are those of a row, for which its shape is needed. */
bool as_json_needs_shape(const struct line_head *head);

/* The object, to be freed with json_object_put; -EBADMSG where the line is none of the format. */
int as_json_line(struct json_object **object, const struct line_head *head, const struct shape *shape, struct err *err);

/* Its text without a line break, borrowed from it. */
const char *as_json_print(struct json_object *object, size_t *len);

#endif
