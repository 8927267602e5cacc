/*
 * screen.h - the whole terminal, by ncurses: painted anew, given back at the end.
 *
 * One thread. SIGINT, SIGTERM, SIGHUP and SIGQUIT end screen_wait, in plain lines, too.
 */
#ifndef FS_SCREEN_H
#define FS_SCREEN_H

#include <stdbool.h>

/* False where standard output and input are no terminal that ncurses knows: then there is no screen, and screen_paint must not
 * be called. */
bool screen_open(void);

/* The terminal is as it was. */
void screen_close(void);

/* The text's first line is the title, its last stands at the bottom; what does not fit is cut. */
void screen_paint(const char *text);

/* Waits so long. False where it is to end: `q`, or a signal. Comes back early where the size has changed. */
bool screen_wait(int timeout_ms);

#endif
