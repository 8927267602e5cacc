#include "screen.h"

#include <locale.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define NCURSES_WIDECHAR 1
#include <ncurses.h>

#include "await.h"

static volatile sig_atomic_t ended;
static SCREEN *screen;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static void take_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = on_signal}; /* waits are broken off */

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaction(numbers[i], &action, NULL);
}

bool screen_open(void)
{
	bool terminal = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);

	setlocale(LC_CTYPE, "");
	if (terminal && (screen = newterm(NULL, stdout, stdin))) {
		cbreak();
		noecho();
		nonl();
		keypad(stdscr, TRUE);
		curs_set(0);
	}
	take_signals(); /* not ncurses' own handlers */
	return screen != NULL;
}

void screen_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

void screen_paint(const char *text)
{
	int row = 0, rows = getmaxy(stdscr);

	erase();
	for (const char *line = text; *line; row++) {
		size_t len = strcspn(line, "\n");
		bool last = !line[len] || !line[len + 1];
		move(last ? rows - 1 : row, 0);
		clrtoeol(); /* what did not fit into the row before */
		if (row == 0 || last)
			attron(A_BOLD);
		if (row < rows - 1 || last)
			addnstr(line, (int)len);
		if (row == 0 || last)
			attroff(A_BOLD);
		line += len + (line[len] == '\n');
	}
	refresh();
}

bool screen_wait(int timeout_ms)
{
	if (ended)
		return false;
	if (!screen) {
		await(NULL, 0, timeout_ms);
		return !ended;
	}
	timeout(timeout_ms);
	int key = getch();
	return !ended && key != 'q' && key != 'Q';
}
