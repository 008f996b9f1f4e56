/* Stands between a broker and its files (LD_PRELOAD): what a folder says goes wrong does, for regular files below another folder.
 *
 *   FAULTS/sync-eio     the next fdatasync or fsync fails with EIO; the file is taken away as it does
 *   FAULTS/write-eio    the next write fails with EIO; the same
 *   FAULTS/short        while it is there, writes take half of what they are given
 *   FAULTS/eio          while it is there, writes fail with EIO
 *   FAULTS/full         while it is there, writes fail with ENOSPC, and the volume has no room
 *
 * Only files with FAULTY_PART in their names, where that is set.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

static int fault(const char *name) {
  const char *folder = getenv("FAULTS");
  char path[PATH_MAX];
  if (!folder) return 0;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return access(path, F_OK) == 0;
}

/* A fault that happens once. */
static int once(const char *name) {
  const char *folder = getenv("FAULTS");
  char path[PATH_MAX];
  if (!folder) return 0;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return unlink(path) == 0;
}

/* Files below FAULTY, the broker's data; not its log, not its sockets. */
static int ours(int fd) {
  const char *data = getenv("FAULTY");
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (!data || length < 0) return 0;
  path[length] = 0;
  const char *part = getenv("FAULTY_PART");
  return strncmp(path, data, strlen(data)) == 0 && (!part || strstr(path, part));
}

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define SYNC(name) \
  int name(int fd) { \
    REAL(int, name, int); \
    if (ours(fd) && once("sync-eio")) { errno = EIO; return -1; } \
    return real(fd); \
  }
SYNC(fsync)
SYNC(fdatasync)

/* -1: fails with errno set. 0: go on. */
static int write_fails(int fd) {
  if (!ours(fd)) return 0;
  if (once("write-eio")) { errno = EIO; return -1; }
  if (fault("eio")) { errno = EIO; return -1; }
  if (fault("full")) { errno = ENOSPC; return -1; }
  return 0;
}

#define PWRITE(name) \
  ssize_t name(int fd, const void *bytes, size_t count, off_t at) { \
    REAL(ssize_t, name, int, const void *, size_t, off_t); \
    if (write_fails(fd)) return -1; \
    if (count > 1 && fault("short") && ours(fd)) count /= 2; \
    return real(fd, bytes, count, at); \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

#define PWRITEV(name) \
  ssize_t name(int fd, const struct iovec *parts, int count, off_t at) { \
    REAL(ssize_t, name, int, const struct iovec *, int, off_t); \
    if (write_fails(fd)) return -1; \
    if (count > 0 && parts[0].iov_len > 1 && fault("short") && ours(fd)) { \
      struct iovec half = parts[0]; \
      half.iov_len /= 2; \
      return real(fd, &half, 1, at); \
    } \
    return real(fd, parts, count, at); \
  }
PWRITEV(pwritev)
PWRITEV(pwritev64)

ssize_t write(int fd, const void *bytes, size_t count) {
  REAL(ssize_t, write, int, const void *, size_t);
  if (write_fails(fd)) return -1;
  return real(fd, bytes, count);
}

int posix_fallocate(int fd, off_t at, off_t length) {
  REAL(int, posix_fallocate, int, off_t, off_t);
  if (ours(fd) && fault("full")) return ENOSPC;
  return real(fd, at, length);
}

#define FSTATVFS(name) \
  int name(int fd, struct statvfs *about) { \
    REAL(int, name, int, struct statvfs *); \
    int failed = real(fd, about); \
    if (!failed && ours(fd) && fault("full")) about->f_bavail = about->f_bfree = 0; \
    return failed; \
  }
FSTATVFS(fstatvfs)
