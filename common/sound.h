/*
 * sound.h - whether all of a line can be read: each name has a value, what has to be escaped is, by the letters of
 * line.h, and the text is UTF-8 without a NUL. Asked once, where lines come in, in one pass that also finds their ends.
 */
#ifndef COMMON_SOUND_H
#define COMMON_SOUND_H

#include <stdbool.h>
#include <stddef.h>

/* The first line of text[0..len): how many bytes it has before its '\n', all where there is none. */
size_t sound_line(const char *text, size_t len, bool *sound);

#endif
