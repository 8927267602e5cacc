/*
 * refuse.h - the FUSE callbacks of all that would change the tree: EROFS.
 *
 * On a mount that is read-only the kernel says so itself; one that has inotify events (announce.h) cannot be.
 */
#ifndef FS_REFUSE_H
#define FS_REFUSE_H

#include "handle.h"

void refuse_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void refuse_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void refuse_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info);
void refuse_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name);
void refuse_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void refuse_remove(fuse_req_t req, fuse_ino_t parent, const char *name);
void refuse_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name,
                   unsigned flags);
void refuse_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off, struct fuse_file_info *info);
void refuse_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *info);
void refuse_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
void refuse_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* Of those who ask first. */
void refuse_access(fuse_req_t req, fuse_ino_t ino, int mask);

#endif
