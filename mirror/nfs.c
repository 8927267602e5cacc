/*
 * nfs.c - see nfs.h.
 *
 * Links are not read: of version 4, libnfs 4 gives what they say without an end.
 */
#include "nfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <nfsc/libnfs.h>

#include "input.h"
#include "nfs_link.h"

/* libnfs breaks a connection of version 4 at an answer above 1 MiB. */
#define READ_MOST ((size_t)1 << 20)

static const char scheme[] = "nfs://";
static const char *const options_known[] = {"version", "nfsport", "mountport", "uid", "gid"};

struct file {
	struct nfs_link *link;
	struct nfsfh *handle;
};

static char *root; /* the URL */

/* ---- URLs */

bool nfs_is_url(const char *place)
{
	return strncmp(place, scheme, sizeof scheme - 1) == 0;
}

char *nfs_cut_options(char *url)
{
	char *options = strchr(url, '?');

	if (options)
		*options++ = 0;
	for (size_t len = strlen(url); len > sizeof scheme - 1 && url[len - 1] == '/'; len--)
		url[len - 1] = 0;
	return options;
}

/* libnfs passes over what it does not know. */
static bool options_are_known(const char *options)
{
	while (*options) {
		size_t len = strcspn(options, "="), i = 0;
		while (i < sizeof options_known / sizeof *options_known &&
		       (strlen(options_known[i]) != len || memcmp(options, options_known[i], len) != 0))
			i++;
		if (i == sizeof options_known / sizeof *options_known || options[len] != '=')
			return false;
		size_t digits = strspn(options + len + 1, "0123456789");
		if (digits == 0 || digits > 9 || (i == 0 && (digits > 1 || !strchr("34", options[len + 1]))))
			return false;
		options += len + 1 + digits;
		if (*options && *options++ != '&')
			return false;
	}
	return true;
}

/* ---- files and names */

static int failed(const char *what, const char *path, int code, const struct err *reason, struct err *err)
{
	return err_set(err, nfs_link_meaning(code), "cannot %s %s: %s", what, path,
	               *reason->text ? reason->text : strerror(-code));
}

static const char *below(const char *path)
{
	const char *rest = path + strlen(root);

	return *rest ? rest : "/";
}

static int open_file(void **opened, const char *path, struct err *err)
{
	struct file *file = calloc(1, sizeof *file);
	struct err reason = {0};

	*opened = NULL;
	if (!file)
		return err_set(err, -ENOMEM, "out of memory");
	struct nfs_link *link = nfs_link_begin(NULL, &reason);
	int rc =
	    link ? nfs_link_answer(link, nfs_open_async(link->context, below(path), O_RDONLY, nfs_link_on_answer, link))
	         : 0;
	if (link && rc >= 0) {
		link->users++;
		*file = (struct file){link, link->made};
	}
	nfs_link_explain(link, rc, &reason);
	rc = nfs_link_end(link, rc);
	if (rc < 0) {
		free(file);
		return failed("open", path, rc, &reason, err);
	}
	*opened = file;
	return 0;
}

static void close_file(void *opened)
{
	struct file *file = opened;

	nfs_link_close(file->link, file->handle);
	free(file);
}

/* One message at a time: parts that are asked for apart might not fit, where the file grows in between. */
static long read_file(void *opened, uint64_t at, char *buf, size_t len)
{
	struct file *file = opened;
	struct nfs_link *link = nfs_link_begin(file->link, NULL);

	if (!link)
		return nfs_link_end(NULL, 0);
	size_t most = (size_t)nfs_get_readmax(link->context); /* 0: it does not know */
	link->buf = buf;
	link->size = len < READ_MOST ? len : READ_MOST;
	if (most > 0 && most < link->size)
		link->size = most;
	int rc = nfs_link_answer(link,
	                         nfs_pread_async(link->context, file->handle, at, link->size, nfs_link_on_bytes, link));
	return nfs_link_end(link, rc);
}

static int64_t file_size(void *opened)
{
	struct file *file = opened;
	struct nfs_link *link = nfs_link_begin(file->link, NULL);
	int64_t size = 0;
	int rc = 0;

	if (link &&
	    (rc = nfs_link_answer(link, nfs_fstat64_async(link->context, file->handle, nfs_link_on_stat, link))) >= 0)
		size = (int64_t)link->size;
	rc = nfs_link_end(link, rc);
	return rc < 0 ? rc : size;
}

static int kind_of(const char *path)
{
	struct nfs_link *link = nfs_link_begin(NULL, NULL);
	int rc = 0, kind = INPUT_FOLDER;

	if (link &&
	    (rc = nfs_link_answer(link, nfs_stat64_async(link->context, below(path), nfs_link_on_stat, link))) >= 0)
		kind = S_ISREG((mode_t)link->mode) ? INPUT_FILE : INPUT_FOLDER;
	rc = nfs_link_end(link, rc);
	return rc < 0 ? nfs_link_meaning(rc) : kind;
}

static int take_names(struct nfs_link *link, struct nfsdir *folder, char ***names)
{
	struct nfsdirent *entry;
	int count = 0;

	while ((entry = nfs_readdir(link->context, folder))) {
		char **more = realloc(*names, ((size_t)count + 1) * sizeof *more);
		*names = more ? more : *names;
		if (!more || !(more[count] = strdup(entry->name))) {
			input_free(*names, count);
			*names = NULL;
			return -ENOMEM;
		}
		count++;
	}
	return count;
}

static int list_names(const char *path, char ***names, struct err *err)
{
	struct err reason = {0};
	struct nfs_link *link = nfs_link_begin(NULL, &reason);
	int rc = 0;

	if (link && (rc = nfs_link_answer(
	                 link, nfs_opendir_async(link->context, below(path), nfs_link_on_answer, link))) >= 0) {
		struct nfsdir *folder = link->made;
		rc = take_names(link, folder, names);
		nfs_closedir(link->context, folder);
	}
	nfs_link_explain(link, rc, &reason);
	rc = nfs_link_end(link, rc);
	return rc < 0 ? failed("list", path, rc, &reason, err) : rc;
}

/* ---- */

int nfs_use(const char *url, const char *options, struct err *err)
{
	static const struct input_way way = {.prefix = scheme,
	                                     .open = open_file,
	                                     .read = read_file,
	                                     .size = file_size,
	                                     .close = close_file,
	                                     .kind = kind_of,
	                                     .list = list_names};
	const char *host = url + sizeof scheme - 1, *path = strchr(host, '/');

	if (!path || path == host || !path[1])
		return err_set(err, -EINVAL, "%s: give a host and what it exports: nfs://HOST/PATH", url);
	if (options && !options_are_known(options))
		return err_set(err, -EINVAL,
		               "%s?%s: the options that are known are version=3 or 4, nfsport=, mountport=, uid= and "
		               "gid=, with & between them",
		               url, options);
	int rc = nfs_link_use(url, options, err);
	if (rc < 0)
		return rc;
	if (!(root = strdup(url)))
		return err_set(err, -ENOMEM, "out of memory");
	input_add(&way);
	return 0;
}

void nfs_end(void)
{
	nfs_link_fini();
	free(root);
	root = NULL;
}
