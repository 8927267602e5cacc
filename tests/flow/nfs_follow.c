/* Opens a file over NFS once, and copies what it has and gets to standard output, always with that handle: errors, which it
 * tells, are tried again. For 96-nfs.sh. */
#include <fcntl.h>
#include <nfsc/libnfs.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

enum { CHUNK = 65536, PAUSE_US = 20000 };

int main(int argc, char **argv)
{
	static char bytes[CHUNK];
	struct nfs_context *nfs = argc == 2 ? nfs_init_context() : NULL;
	struct nfs_url *url = nfs ? nfs_parse_url_full(nfs, argv[1]) : NULL;
	struct nfsfh *file;
	uint64_t off = 0;
	int n;

	if (!url || nfs_mount(nfs, url->server, url->path) < 0 || nfs_open(nfs, url->file, O_RDONLY, &file) < 0) {
		fprintf(stderr, "%s\n", nfs ? nfs_get_error(nfs) : "give a URL");
		return 1;
	}
	for (;;) {
		n = nfs_pread(nfs, file, off, sizeof bytes, bytes);
		if (n < 0)
			fprintf(stderr, "%s\n", nfs_get_error(nfs));
		for (int done = 0; done < n;) {
			ssize_t out = write(STDOUT_FILENO, bytes + done, (size_t)(n - done));
			if (out < 0)
				return 1;
			done += (int)out;
		}
		off += n > 0 ? (uint64_t)n : 0;
		if (n <= 0)
			usleep(PAUSE_US);
	}
}
