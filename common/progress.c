#include "progress.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "amount.h"
#include "clock.h"
#include "log.h"

enum {
	BAR_MS = 200,    /* between two pictures of the bar */
	LINE_MS = 10000, /* between two lines, where there is no terminal */
	BAR_WIDTH = 12,
	TEXT_MAX = 512,
};

struct progress {
	const char *what;
	pthread_mutex_t lock; /* all below */
	uint64_t rows, bytes, expected;
	int64_t began_ms, said_ms;
	bool terminal;
	char at[128];
};

struct progress *progress_open(const char *what, uint64_t total_bytes)
{
	struct progress *progress = calloc(1, sizeof *progress);

	if (!progress)
		return NULL;
	progress->what = what;
	progress->expected = total_bytes;
	progress->began_ms = clock_ms();
	progress->terminal = isatty(STDERR_FILENO);
	progress->said_ms = progress->began_ms;
	log_over_bar(progress->terminal);
	pthread_mutex_init(&progress->lock, NULL);
	return progress;
}

/* "34% of 1.2 GB, 1000 rows, 4.0 MB/s, 0:17 left, zzz" */
static void describe(const struct progress *p, char *text)
{
	char bytes[AMOUNT_TEXT_MAX], rate[AMOUNT_TEXT_MAX], left[AMOUNT_TEXT_MAX];
	double seconds = (double)(clock_ms() - p->began_ms) / 1000,
	       per_second = seconds > 0 ? (double)p->bytes / seconds : 0;
	int n = 0;

	/* An estimate that was too low: nothing is known of the end. */
	bool known = p->expected >= p->bytes && p->expected > 0;
	if (known)
		n = snprintf(text, TEXT_MAX, "%d%% of %s, ", (int)((double)p->bytes * 100 / (double)p->expected),
		             amount_bytes(bytes, (double)p->expected));
	else
		n = snprintf(text, TEXT_MAX, "%s, ", amount_bytes(bytes, (double)p->bytes));
	n += snprintf(text + n, (size_t)(TEXT_MAX - n), "%" PRIu64 " rows, %s/s", p->rows,
	              amount_bytes(rate, per_second));
	if (known && per_second > 0)
		n += snprintf(text + n, (size_t)(TEXT_MAX - n), ", %s left",
		              amount_duration(left, (double)(p->expected - p->bytes) / per_second));
	if (p->at[0])
		snprintf(text + n, (size_t)(TEXT_MAX - n), ", %s", p->at);
}

/* Cut to the terminal's width: a bar that wraps cannot be painted over. */
static void paint(const struct progress *p)
{
	struct winsize size = {0};
	char text[TEXT_MAX], bar[BAR_WIDTH + 1] = "";
	int done = p->expected ? (int)((double)p->bytes * BAR_WIDTH / (double)p->expected) : 0;

	describe(p, text);
	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', (size_t)(done < BAR_WIDTH ? done : BAR_WIDTH));
	int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40 ? size.ws_col : 80;
	fprintf(stderr, "\r\033[K%s [%s] %.*s", p->what, bar, width - BAR_WIDTH - (int)strlen(p->what) - 5, text);
	fflush(stderr);
}

static void show(struct progress *p)
{
	int64_t now = clock_ms();
	char text[TEXT_MAX];

	if (now - p->said_ms < (p->terminal ? BAR_MS : LINE_MS))
		return;
	p->said_ms = now;
	if (p->terminal) {
		paint(p);
		return;
	}
	describe(p, text);
	log_info("%s: %s", p->what, text);
}

void progress_expect(struct progress *p, uint64_t total_bytes)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->expected = total_bytes;
	pthread_mutex_unlock(&p->lock);
}

void progress_add(struct progress *p, uint64_t rows, uint64_t bytes)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->rows += rows;
	p->bytes += bytes;
	show(p);
	pthread_mutex_unlock(&p->lock);
}

void progress_at(struct progress *p, const char *name)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	snprintf(p->at, sizeof p->at, "%s", name);
	show(p);
	pthread_mutex_unlock(&p->lock);
}

void progress_close(struct progress *p, bool done)
{
	char bytes[AMOUNT_TEXT_MAX], rate[AMOUNT_TEXT_MAX], took[AMOUNT_TEXT_MAX];

	if (!p)
		return;
	double seconds = (double)(clock_ms() - p->began_ms) / 1000;
	if (p->terminal)
		fputs("\r\033[K", stderr);
	log_over_bar(false);
	if (done)
		log_info("%s: %" PRIu64 " rows, %s in %s (%s/s)", p->what, p->rows,
		         amount_bytes(bytes, (double)p->bytes), amount_duration(took, seconds),
		         amount_bytes(rate, seconds > 0 ? (double)p->bytes / seconds : 0));
	pthread_mutex_destroy(&p->lock);
	free(p);
}
