/*
 * nfs.c - see nfs.h.
 *
 * libnfs is asked by its asynchronous calls, one at a time, whatever the thread: so each wait has an end. It gets no
 * retries, no cache and no reading ahead: a file that grows is asked about anew each time, and who reads knows what to do
 * when a connection breaks. Links are not read: of version 4, libnfs 4 gives what they say without an end.
 */
#include "nfs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <nfsc/libnfs.h>

#include "clock.h"
#include "input.h"
#include "stop.h"

#define ANSWER_MS 30000
/* libnfs breaks a connection of version 4 at an answer above 1 MiB. */
#define READ_MOST ((size_t)1 << 20)
/* libnfs wants to be called now and then. */
#define TICK_MS 100

static const char scheme[] = "nfs://";
static const char *const options_known[] = {"version", "nfsport", "mountport", "uid", "gid"};

/* A connection. It stays for as long as somebody uses it, though it may be broken, or is the current one. */
struct link {
	struct nfs_context *context;
	unsigned users; /* files and calls */
	bool broken;
	/* The answer that is waited for: */
	bool came;
	int status; /* a count or a negative errno */
	void *made; /* what was opened */
	char *buf;  /* where bytes go, */
	size_t size;
	uint64_t mode;
};

struct file {
	struct link *link;
	struct nfsfh *handle;
};

static struct {
	pthread_mutex_t lock; /* of all links */
	char *place;          /* its URL */
	char *url;            /* with the options */
	struct link *current; /* NULL: to be made */
} nfs = {.lock = PTHREAD_MUTEX_INITIALIZER};

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

/* ---- asking */

static void on_answer(int status, struct nfs_context *context, void *data, void *ctx)
{
	struct link *link = ctx;

	(void)context;
	link->came = true;
	link->status = status;
	if (status >= 0)
		link->made = data;
}

static void on_bytes(int status, struct nfs_context *context, void *data, void *ctx)
{
	struct link *link = ctx;

	on_answer(status, context, data, ctx);
	if (status > 0)
		memcpy(link->buf, data, (size_t)status < link->size ? (size_t)status : link->size);
}

static void on_stat(int status, struct nfs_context *context, void *data, void *ctx)
{
	const struct nfs_stat_64 *st = data;
	struct link *link = ctx;

	on_answer(status, context, data, ctx);
	if (status >= 0) {
		link->mode = st->nfs_mode;
		link->size = st->nfs_size;
	}
}

static int socket_error(const struct link *link)
{
	int code = 0;
	socklen_t len = sizeof code;

	getsockopt(nfs_get_fd(link->context), SOL_SOCKET, SO_ERROR, &code, &len);
	return code ? -code : -ENOTCONN;
}

static int serve_socket(struct link *link)
{
	struct pollfd fds[2] = {
	    {.fd = nfs_get_fd(link->context), .events = (short)nfs_which_events(link->context)},
	    {.fd = stop_fd(), .events = POLLIN},
	};

	poll(fds, 2, TICK_MS);
	if (stop_asked())
		return -EINTR;
	int code = fds[0].revents & (POLLERR | POLLHUP) ? socket_error(link) : -ENOTCONN;
	bool broke = nfs_service(link->context, fds[0].revents) < 0;
	/* Its own answer tells less. */
	return broke ? code : 0;
}

/* Waits for the answer to what was asked. */
static int answer(struct link *link, int asked)
{
	int64_t until = clock_ms() + ANSWER_MS;
	int rc = asked < 0 ? -ENOTCONN : 0;

	while (rc == 0 && !link->came) {
		rc = serve_socket(link);
		if (rc == 0 && !link->came && clock_ms() > until)
			rc = -ETIMEDOUT;
	}
	link->broken |= rc < 0;
	return rc < 0 ? rc : link->status;
}

/* ---- links; with the lock held */

static void drop_unused(struct link *link)
{
	if (link->users > 0 || link == nfs.current)
		return;
	/* What was not answered is told so here. */
	nfs_destroy_context(link->context);
	free(link);
}

static void release(struct link *link)
{
	link->users--;
	drop_unused(link);
}

/* What the NFS server exports answers it no more, as a FUSE mount whose daemon ended. libnfs has EFAULT for
 * NFS3ERR_SERVERFAULT, or EIO. */
#define GONE_THERE                                                                                                     \
	"the NFS server cannot read what it exports: where daystreamfs was started anew there, so has to be the NFS "  \
	"server (systemctl restart daystream-nfs@NAME)"

static int why_unmounted(struct link *link, const struct nfs_url *url, int code, int asked, struct err *err)
{
	const char *reason = nfs_get_error(link->context);

	if (asked < 0)
		return err_set(err, -ENOTCONN, "%s is not known", url->server);
	if (code == -EACCES || code == -EPERM || code == -ENOENT || code == -ENOTDIR)
		return err_set(err, -ENOTCONN, "%s does not export %s to this host: %s", url->server, url->path,
		               strerror(-code));
	if (link->broken || !reason)
		return err_set(err, -ENOTCONN, "no NFS server answers at %s: %s", url->server, strerror(-code));
	return err_set(err, -ENOTCONN, "%s: %s", url->server, code == -EFAULT || code == -EIO ? GONE_THERE : reason);
}

static int mount_link(struct link *link, struct err *err)
{
	struct nfs_url *url = nfs_parse_url_dir(link->context, nfs.url);

	if (!url)
		return err_set(err, -ENOMEM, "out of memory");
	nfs_set_autoreconnect(link->context, 0);
	nfs_set_dircache(link->context, 0);
	/* Of IPv6, as [::1]. */
	size_t len = strlen(url->server);
	if (len > 2 && url->server[0] == '[' && url->server[len - 1] == ']') {
		memmove(url->server, url->server + 1, len - 2);
		url->server[len - 2] = 0;
	}
	int asked = nfs_mount_async(link->context, url->server, url->path, on_answer, link), rc = answer(link, asked);
	if (rc < 0 && rc != -EINTR)
		rc = why_unmounted(link, url, rc, asked, err);
	nfs_destroy_url(url);
	return rc < 0 ? rc : 0;
}

static int make_link(struct err *err)
{
	struct link *link = calloc(1, sizeof *link);

	if (!link || !(link->context = nfs_init_context())) {
		free(link);
		return err_set(err, -ENOMEM, "out of memory");
	}
	int rc = mount_link(link, err);
	if (rc == 0)
		nfs.current = link;
	drop_unused(link);
	return rc;
}

/* ---- calls: begin, ask, end */

/* A link to ask by, or NULL. */
static struct link *begin(struct link *link, struct err *err)
{
	pthread_mutex_lock(&nfs.lock);
	if (!link && (nfs.current || make_link(err) == 0))
		link = nfs.current;
	if (!link || link->broken)
		return NULL;
	link->users++;
	link->came = false;
	link->made = NULL;
	return link;
}

/* What a server says of a name is passed on; all else is the way there. A handle that is stale is of a server
 * or daemon that ended. */
static int meaning(int code)
{
	switch (-code) {
	case ENOENT:
	case ENOTDIR:
	case EACCES:
	case EPERM:
	case EIO:
	case EINTR:
	case ENOMEM: return code;
	default: return code < 0 ? -ENOTCONN : code;
	}
}

/* What libnfs says of what has no errno. */
static void explain(struct link *link, int code, struct err *reason)
{
	const char *text = link && !link->broken && code < 0 ? nfs_get_error(link->context) : NULL;

	if (text && meaning(code) != code)
		err_set(reason, code, "%s", text);
}

static int end(struct link *link, int rc)
{
	/* What is asked next is asked anew. */
	if (link && rc < 0 && rc != -ENOENT && nfs.current == link)
		nfs.current = NULL;
	if (link)
		release(link);
	pthread_mutex_unlock(&nfs.lock);
	return link ? rc : stop_asked() ? -EINTR : -ENOTCONN;
}

static int failed(const char *what, const char *path, int code, const struct err *reason, struct err *err)
{
	return err_set(err, meaning(code), "cannot %s %s: %s", what, path,
	               code == -EFAULT ? GONE_THERE
	               : *reason->text ? reason->text
	                               : strerror(-code));
}

static const char *below(const char *path)
{
	const char *rest = path + strlen(nfs.place);

	return *rest ? rest : "/";
}

static void close_handle(struct link *link, struct nfsfh *handle)
{
	link->came = false;
	int asked = nfs_close_async(link->context, handle, on_answer, link);

	/* Of version 3, nothing is asked. */
	if (asked == 0 && !link->came && !link->broken && !stop_asked())
		answer(link, asked);
}

static int open_file(void **opened, const char *path, struct err *err)
{
	struct file *file = calloc(1, sizeof *file);
	struct err reason = {0};

	*opened = NULL;
	if (!file)
		return err_set(err, -ENOMEM, "out of memory");
	struct link *link = begin(NULL, &reason);
	int rc = link ? answer(link, nfs_open_async(link->context, below(path), O_RDONLY, on_answer, link)) : 0;
	if (link && rc >= 0) {
		link->users++;
		*file = (struct file){link, link->made};
	}
	explain(link, rc, &reason);
	rc = end(link, rc);
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

	pthread_mutex_lock(&nfs.lock);
	close_handle(file->link, file->handle);
	release(file->link);
	pthread_mutex_unlock(&nfs.lock);
	free(file);
}

/* One message at a time: parts that are asked for apart might not fit, where the file grows in between. */
static long read_file(void *opened, uint64_t at, char *buf, size_t len)
{
	struct file *file = opened;
	struct link *link = begin(file->link, NULL);

	if (!link)
		return end(NULL, 0);
	size_t most = (size_t)nfs_get_readmax(link->context); /* 0: it does not know */
	link->buf = buf;
	link->size = len < READ_MOST ? len : READ_MOST;
	if (most > 0 && most < link->size)
		link->size = most;
	int rc = answer(link, nfs_pread_async(link->context, file->handle, at, link->size, on_bytes, link));
	return end(link, rc);
}

static int64_t file_size(void *opened)
{
	struct file *file = opened;
	struct link *link = begin(file->link, NULL);
	int64_t size = 0;
	int rc = 0;

	if (link && (rc = answer(link, nfs_fstat64_async(link->context, file->handle, on_stat, link))) >= 0)
		size = (int64_t)link->size;
	rc = end(link, rc);
	return rc < 0 ? rc : size;
}

static int kind_of(const char *path)
{
	struct link *link = begin(NULL, NULL);
	int rc = 0, kind = INPUT_FOLDER;

	if (link && (rc = answer(link, nfs_stat64_async(link->context, below(path), on_stat, link))) >= 0)
		kind = S_ISREG((mode_t)link->mode) ? INPUT_FILE : INPUT_FOLDER;
	rc = end(link, rc);
	return rc < 0 ? meaning(rc) : kind;
}

static int take_names(struct link *link, struct nfsdir *folder, char ***names)
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
	struct link *link = begin(NULL, &reason);
	int rc = 0;

	if (link && (rc = answer(link, nfs_opendir_async(link->context, below(path), on_answer, link))) >= 0) {
		struct nfsdir *folder = link->made;
		rc = take_names(link, folder, names);
		nfs_closedir(link->context, folder);
	}
	explain(link, rc, &reason);
	rc = end(link, rc);
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
	/* The last of the same name counts: mounts below this one are none of ours. */
	if (!(nfs.place = strdup(url)) || asprintf(&nfs.url, "%s?%s%sauto-traverse-mounts=0", url,
	                                           options ? options : "", options && *options ? "&" : "") < 0) {
		nfs.url = NULL;
		return err_set(err, -ENOMEM, "out of memory");
	}
	input_add(&way);
	return 0;
}

void nfs_end(void)
{
	struct link *link = nfs.current;

	nfs.current = NULL;
	if (link)
		drop_unused(link);
	free(nfs.place);
	free(nfs.url);
	nfs.place = nfs.url = NULL;
}
