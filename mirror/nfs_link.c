#include "nfs_link.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <nfsc/libnfs.h>

#include "await.h"
#include "clock.h"
#include "stop.h"

#define ANSWER_MS 30000
/* libnfs wants to be called now and then. */
#define TICK_MS 100

static struct {
	pthread_mutex_t lock;     /* of all links */
	char *url;                /* with the options */
	struct nfs_link *current; /* NULL: to be made */
} nfs = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- asking */

void nfs_link_on_answer(int status, struct nfs_context *context, void *data, void *ctx)
{
	struct nfs_link *link = ctx;

	(void)context;
	link->came = true;
	link->status = status;
	if (status >= 0)
		link->made = data;
}

void nfs_link_on_bytes(int status, struct nfs_context *context, void *data, void *ctx)
{
	struct nfs_link *link = ctx;

	nfs_link_on_answer(status, context, data, ctx);
	if (status > 0)
		memcpy(link->buf, data, (size_t)status < link->size ? (size_t)status : link->size);
}

void nfs_link_on_stat(int status, struct nfs_context *context, void *data, void *ctx)
{
	const struct nfs_stat_64 *st = data;
	struct nfs_link *link = ctx;

	nfs_link_on_answer(status, context, data, ctx);
	if (status >= 0) {
		link->mode = st->nfs_mode;
		link->size = st->nfs_size;
	}
}

static int socket_error(const struct nfs_link *link)
{
	int code = 0;
	socklen_t len = sizeof code;

	getsockopt(nfs_get_fd(link->context), SOL_SOCKET, SO_ERROR, &code, &len);
	return code ? -code : -ENOTCONN;
}

static int serve_socket(struct nfs_link *link)
{
	struct pollfd fds[2] = {
	    {.fd = nfs_get_fd(link->context), .events = (short)nfs_which_events(link->context)},
	    {.fd = stop_fd(), .events = POLLIN},
	};

	await(fds, 2, TICK_MS);
	if (stop_asked())
		return -EINTR;
	int code = fds[0].revents & (POLLERR | POLLHUP) ? socket_error(link) : -ENOTCONN;
	bool broke = nfs_service(link->context, fds[0].revents) < 0;
	/* Its own answer tells less. */
	return broke ? code : 0;
}

int nfs_link_answer(struct nfs_link *link, int asked)
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

static void drop_unused(struct nfs_link *link)
{
	if (link->users > 0 || link == nfs.current)
		return;
	/* What was not answered is told so here. */
	nfs_destroy_context(link->context);
	free(link);
}

static void release(struct nfs_link *link)
{
	link->users--;
	drop_unused(link);
}

/* What the NFS server exports answers it no more, as a FUSE mount whose daemon ended. libnfs has EFAULT for
 * NFS3ERR_SERVERFAULT, or EIO. */
#define GONE_THERE                                                                                                     \
	"the NFS server cannot read what it exports: where daystreamfs was started anew there, so has to be the NFS "  \
	"server (systemctl restart daystream-nfs@NAME)"

static int why_unmounted(struct nfs_link *link, const struct nfs_url *url, int code, int asked, struct err *err)
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

static int mount_link(struct nfs_link *link, struct err *err)
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
	int asked = nfs_mount_async(link->context, url->server, url->path, nfs_link_on_answer, link),
	    rc = nfs_link_answer(link, asked);
	if (rc < 0 && rc != -EINTR)
		rc = why_unmounted(link, url, rc, asked, err);
	nfs_destroy_url(url);
	return rc < 0 ? rc : 0;
}

static int make_link(struct err *err)
{
	struct nfs_link *link = calloc(1, sizeof *link);

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

struct nfs_link *nfs_link_begin(struct nfs_link *link, struct err *err)
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

int nfs_link_meaning(int code)
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

void nfs_link_explain(struct nfs_link *link, int code, struct err *reason)
{
	const char *text = link && !link->broken && code < 0 ? nfs_get_error(link->context) : NULL;

	if (text && nfs_link_meaning(code) != code)
		err_set(reason, code, "%s", code == -EFAULT ? GONE_THERE : text);
}

int nfs_link_end(struct nfs_link *link, int rc)
{
	/* What is asked next is asked anew. */
	if (link && rc < 0 && rc != -ENOENT && nfs.current == link)
		nfs.current = NULL;
	if (link)
		release(link);
	pthread_mutex_unlock(&nfs.lock);
	return link ? rc : stop_asked() ? -EINTR : -ENOTCONN;
}

static void close_handle(struct nfs_link *link, struct nfsfh *handle)
{
	link->came = false;
	int asked = nfs_close_async(link->context, handle, nfs_link_on_answer, link);

	/* Of version 3, nothing is asked. */
	if (asked == 0 && !link->came && !link->broken && !stop_asked())
		nfs_link_answer(link, asked);
}

void nfs_link_close(struct nfs_link *link, struct nfsfh *handle)
{
	pthread_mutex_lock(&nfs.lock);
	close_handle(link, handle);
	release(link);
	pthread_mutex_unlock(&nfs.lock);
}

/* ---- where to */

int nfs_link_use(const char *url, const char *options, struct err *err)
{
	/* The last of the same name counts: mounts below this one are none of ours. */
	if (asprintf(&nfs.url, "%s?%s%sauto-traverse-mounts=0", url, options ? options : "",
	             options && *options ? "&" : "") >= 0)
		return 0;
	nfs.url = NULL;
	return err_set(err, -ENOMEM, "out of memory");
}

void nfs_link_fini(void)
{
	struct nfs_link *link = nfs.current;

	nfs.current = NULL;
	if (link)
		drop_unused(link);
	free(nfs.url);
	nfs.url = NULL;
}
