/*
 * amount.h - bytes and durations as a person reads them.
 */
#ifndef COMMON_AMOUNT_H
#define COMMON_AMOUNT_H

enum { AMOUNT_TEXT_MAX = 24 };

/* "12.3 MB" */
const char *amount_bytes(char text[AMOUNT_TEXT_MAX], double bytes);

/* "1:02:03" */
const char *amount_duration(char text[AMOUNT_TEXT_MAX], double seconds);

#endif
