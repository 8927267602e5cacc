#include "config.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* libConfuse reports through a callback without a context. */
static _Thread_local struct err *parse_err;

static void report(cfg_t *cfg, const char *fmt, va_list args)
{
	char reason[512];

	vsnprintf(reason, sizeof reason, fmt, args);
	err_set(parse_err, -EINVAL, "daystream.conf:%d: %s%s", cfg ? cfg->line : 0, reason,
	        strstr(reason, "unexpected token") ? "; text stands in quotes: name = 'value'" : "");
}

/* While it is read, so that the line is known. */
static int check_size(cfg_t *cfg, cfg_opt_t *opt)
{
	double size = cfg_opt_getnfloat(opt, 0);

	if (size >= 4096 && size <= 1e15) /* false for nan as well */
		return 0;
	cfg_error(cfg, "segment_size must lie between 4096 and 1e15 bytes");
	return -1;
}

static int check_days(cfg_t *cfg, cfg_opt_t *opt)
{
	double days = cfg_opt_getnfloat(opt, 0);

	if (days >= 0 && days <= 1000000 && days == (double)(long)days)
		return 0;
	cfg_error(cfg, "keep_days must be a whole number between 0 (no limit) and 1000000");
	return -1;
}

static int check_bytes(cfg_t *cfg, cfg_opt_t *opt)
{
	double size = cfg_opt_getnfloat(opt, 0);

	if (size >= 0 && size <= 1e18)
		return 0;
	cfg_error(cfg, "keep_bytes must lie between 0 (no limit) and 1e18");
	return -1;
}

static int check_reserve(cfg_t *cfg, cfg_opt_t *opt)
{
	double size = cfg_opt_getnfloat(opt, 0);

	if (size >= 0 && size <= 1e12)
		return 0;
	cfg_error(cfg, "reserve_size must lie between 0 (none) and 1e12 bytes");
	return -1;
}

static int check_snapshot(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *value = cfg_opt_getnstr(opt, 0);

	if (strcmp(value, "auto") == 0 || strcmp(value, "off") == 0)
		return 0;
	cfg_error(cfg, "snapshot must be auto or off");
	return -1;
}

static int parse(cfg_t *cfg, FILE *file, struct config *config, struct err *err)
{
	if (cfg_parse_fp(cfg, file) != CFG_SUCCESS)
		return -EINVAL;
	/* `init` always writes it, so this is no file of ours any more; and libpq's defaults may lead anywhere. */
	if (!cfg_getstr(cfg, "conninfo"))
		return err_set(err, -EINVAL,
		               "daystream.conf has no line conninfo: it was emptied, or a part of it was lost; put the "
		               "settings back (conninfo = '' stands for the PG* variables)");
	config->conninfo = strdup(cfg_getstr(cfg, "conninfo"));
	config->slot = strdup(cfg_getstr(cfg, "slot"));
	config->tables = strdup(cfg_getstr(cfg, "tables"));
	config->snapshot = strdup(cfg_getstr(cfg, "snapshot"));
	config->user = strdup(cfg_getstr(cfg, "user"));
	if (!config->conninfo || !config->slot || !config->tables || !config->snapshot || !config->user)
		return err_set(err, -ENOMEM, "out of memory");
	config->segment_bytes = (uint64_t)cfg_getfloat(cfg, "segment_size");
	config->keep_days = (uint64_t)cfg_getfloat(cfg, "keep_days");
	config->keep_bytes = (uint64_t)cfg_getfloat(cfg, "keep_bytes");
	config->reserve_bytes = (uint64_t)cfg_getfloat(cfg, "reserve_size");
	return 0;
}

/* Root does not follow a link that another user may have put into his folder. */
static bool is_strangers(int dirfd)
{
	struct stat st;

	return geteuid() == 0 && (fstat(dirfd, &st) < 0 || st.st_uid != 0);
}

bool config_is_mount(int dirfd)
{
	return faccessat(dirfd, "live", F_OK, 0) == 0 && faccessat(dirfd, "since", F_OK, 0) == 0;
}

int config_no_folder(const char *path, struct err *err)
{
	int r = err_errno(err, "%s", path);
	struct err why = *err;

	return r == -ENOENT ? err_set(err, r, "%.900s; `daystream init` makes a store", why.text) : r;
}

static const char *why_none(int dirfd)
{
	if (config_is_mount(dirfd))
		return CONFIG_IS_MOUNT;
	if (faccessat(dirfd, "segments", F_OK, 0) == 0)
		return "put it back; a copy of a store needs none for daystreamfs --read-only, whose mount tells the "
		       "rest";
	return "run `daystream init` first";
}

/* It may be a link; what is no file is not waited for. */
static int open_file(int dirfd, struct err *err)
{
	struct stat st;
	int fd =
	    openat(dirfd, "daystream.conf", O_RDONLY | O_NONBLOCK | O_CLOEXEC | (is_strangers(dirfd) ? O_NOFOLLOW : 0));

	if (fd < 0 && errno == ENOENT)
		return err_set(err, -ENOENT, "no daystream.conf in it: %s", why_none(dirfd));
	if (fd < 0)
		return err_errno(err, "opening daystream.conf");
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return err_set(err, -EINVAL, "daystream.conf is no file: move it away, and put the settings there");
}

/* libConfuse counts the line of a comment more than once, so it gets none to see; unless there are those that
 * C knows, too. */
static void blank_comments(char *text, size_t len)
{
	char quote = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (quote && c == '\\')
			i++;
		else if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '\'' || c == '"')
			quote = c;
		else if (c == '/' && i + 1 < len && (text[i + 1] == '/' || text[i + 1] == '*'))
			return;
		else if (c == '#')
			for (; i < len && text[i] != '\n'; i++)
				text[i] = ' ';
	}
}

/* The file as libConfuse is to see it; *text is behind it, to be freed when it is closed. */
static FILE *open_blanked(int fd, char **text, struct err *err)
{
	struct stat st;
	ssize_t len = -1;
	FILE *file = NULL;

	*text = NULL;
	if (fstat(fd, &st) < 0 || !(*text = malloc((size_t)st.st_size + 1)) ||
	    (len = read(fd, *text, (size_t)st.st_size)) < 0) {
		err_errno(err, "reading daystream.conf");
		return NULL;
	}
	if (len >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) /* some editors begin so what is UTF-8 */
		memset(*text, ' ', 3);
	blank_comments(*text, (size_t)len);
	if (len == 0 || (*text)[len - 1] != '\n')
		(*text)[len++] = '\n';
	if (!(file = fmemopen(*text, (size_t)len, "r")))
		err_errno(err, "reading daystream.conf");
	return file;
}

int config_read(struct config *config, int dirfd, struct err *err)
{
	/* Numbers are floats: they hold bytes beyond libConfuse's long of 32 bits, and 010 is ten, not eight. */
	cfg_opt_t options[] = {CFG_STR("conninfo", NULL, CFGF_NODEFAULT),
	                       CFG_STR("slot", "daystream", CFGF_NONE),
	                       CFG_STR("tables", "", CFGF_NONE),
	                       CFG_FLOAT("segment_size", 268435456, CFGF_NONE),
	                       CFG_FLOAT("keep_days", 0, CFGF_NONE),
	                       CFG_FLOAT("keep_bytes", 0, CFGF_NONE),
	                       CFG_STR("snapshot", "auto", CFGF_NONE),
	                       CFG_FLOAT("reserve_size", CONFIG_RESERVE, CFGF_NONE),
	                       CFG_STR("user", "", CFGF_NONE),
	                       CFG_END()};
	int r = err_set(err, -ENOMEM, "out of memory");

	*config = (struct config){0};
	int fd = open_file(dirfd, err);
	if (fd < 0)
		return fd;
	char *text;
	FILE *file = open_blanked(fd, &text, err);
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	if (!file) {
		r = -EIO;
	} else if (cfg) {
		err_set(err, -EINVAL, "daystream.conf does not follow the syntax");
		parse_err = err;
		cfg_set_error_function(cfg, report);
		cfg_set_validate_func(cfg, "segment_size", check_size);
		cfg_set_validate_func(cfg, "keep_days", check_days);
		cfg_set_validate_func(cfg, "keep_bytes", check_bytes);
		cfg_set_validate_func(cfg, "reserve_size", check_reserve);
		cfg_set_validate_func(cfg, "snapshot", check_snapshot);
		r = parse(cfg, file, config, err);
		parse_err = NULL;
	}
	if (cfg)
		cfg_free(cfg);
	if (file)
		fclose(file);
	free(text);
	close(fd);
	return r;
}

/* As a single-quoted string, in which libConfuse takes \\ and \' for escapes. */
static void print_quoted(FILE *file, const char *name, const char *value)
{
	fprintf(file, "%s = '", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '\'')
			fputc('\\', file);
		fputc(*value, file);
	}
	fputs("'\n", file);
}

static int write_file(int dirfd, const char *text, size_t len, struct err *err)
{
	static const char temporary[] = "daystream.conf.new";

	unlinkat(dirfd, temporary, 0); /* whatever it is */
	int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), r = 0;

	if (fd < 0)
		return err_errno(err, "creating %s", temporary);
	ssize_t n = write(fd, text, len);
	if (n >= 0 && n != (ssize_t)len)
		errno = ENOSPC, n = -1;
	if (n < 0 || fsync(fd) < 0)
		r = err_errno(err, "writing %s", temporary);
	close(fd);
	if (r == 0 && renameat(dirfd, temporary, dirfd, "daystream.conf") < 0)
		r = err_errno(err, "renaming %s", temporary);
	if (r == 0 && fsync(dirfd) < 0)
		r = err_errno(err, "syncing the store's folder");
	return r;
}

int config_write(const struct config *config, int dirfd, struct err *err)
{
	char *text;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	if (!file)
		return err_set(err, -ENOMEM, "out of memory for daystream.conf");
	fputs("# daystream: written by `daystream init`; edit it and restart daystreamfs.\n\n"
	      "# How to reach the server: libpq's connection string (a password is better kept in .pgpass).\n",
	      file);
	print_quoted(file, "conninfo", config->conninfo);
	fputs("\n# The replication slot that feeds this store.\n", file);
	print_quoted(file, "slot", config->slot);
	fputs("\n# Only these tables (as under /tables, joined by commas); '' for all.\n", file);
	print_quoted(file, "tables", config->tables);
	fprintf(file, "\n# A segment is closed behind the first commit past this many bytes.\nsegment_size = %llu\n",
	        (unsigned long long)config->segment_bytes);
	fprintf(file,
	        "\n# Segments whose lines are all older than this many days are removed; 0: never.\nkeep_days = %llu\n",
	        (unsigned long long)config->keep_days);
	fprintf(file, "\n# The oldest segments beyond this many bytes are removed; 0: never.\nkeep_bytes = %llu\n",
	        (unsigned long long)config->keep_bytes);
	fprintf(file,
	        "\n# auto: a snapshot is taken whenever new followers could not start otherwise; or off.\n"
	        "snapshot = %s\n",
	        config->snapshot);
	fprintf(
	    file,
	    "\n# So many bytes of the disk are set aside while it has room, so that a start can make the store whole\n"
	    "# on a full one; 0: none.\nreserve_size = %llu\n",
	    (unsigned long long)config->reserve_bytes);
	fputs("\n# Who works on the store where root starts daystreamfs; '' for the store's owner, 'root' to stay "
	      "root.\n",
	      file);
	print_quoted(file, "user", config->user ? config->user : "");

	bool failed = ferror(file) != 0;
	int r = fclose(file) != 0 || failed ? err_set(err, -ENOMEM, "out of memory for daystream.conf")
	                                    : write_file(dirfd, text, len, err);
	free(text);
	return r;
}

void config_fini(struct config *config)
{
	free(config->conninfo);
	free(config->slot);
	free(config->tables);
	free(config->snapshot);
	free(config->user);
	*config = (struct config){0};
}
