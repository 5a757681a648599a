/* Faults at the Nth call that changes files below one folder: loaded with LD_PRELOAD, armed by faultat_arm().

   Calls are counted over all threads of the process, from 1. What happens at the Nth is the mode:
   count (nothing), before (killed instead of it), after (killed behind it), torn (half of a write is done, then killed),
   stop (SIGSTOP instead of it, done once continued), errno (it fails with that errno; with sticky all later ones do).
   A log, where one is named, gets a line "<number> <call> <path>" for every call counted; behind the path of a link or a
   rename stands, behind a tab, the name that the file had before. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, BEFORE, AFTER, TORN, STOP, FAIL };

static char root[PATH_MAX];
static size_t root_length;
static long at, calls;
static int mode, code, sticky, log_fd = -1;

/* Arms the process. `how` is count, before, after, torn, stop or errno; `number` is the errno. */
void faultat_arm(const char *folder, long nth, const char *how, int number, int again, const char *log)
{
    static const char *names[] = {"count", "before", "after", "torn", "stop", "errno"};
    for (int i = 0; i < 6; i++)
        if (!strcmp(how, names[i]))
            mode = i;
    at = nth, code = number, sticky = again, calls = 0;
    log_fd = log && *log ? (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    snprintf(root, sizeof root, "%s", folder);
    root_length = strlen(root);
}

/* The number of calls so far. */
long faultat_calls(void) { return calls; }

static int below(const char *path)
{
    return root_length && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static void path_of_fd(int fd, char *out)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = 0;
}

static void path_at(int folder, const char *path, char *out)
{
    char base[PATH_MAX] = "";
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
        return;
    }
    if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base))
            base[0] = 0;
    } else
        path_of_fd(folder, base);
    size_t n = strlen(base);
    snprintf(out, PATH_MAX, "%s", base);
    snprintf(out + n, PATH_MAX - n, "/%s", path);
}

/* The new path, a tab, and the old one, without the folder where it lies below that. */
static void both_paths(int a, const char *old, int b, const char *path, char *out)
{
    char from[PATH_MAX];
    path_at(b, path, out);
    path_at(a, old, from);
    size_t n = strlen(out);
    snprintf(out + n, 2 * PATH_MAX - n, "\t%s", below(from) ? from + root_length : from);
}

static void die(void)
{
    syscall(SYS_kill, (pid_t)syscall(SYS_getpid), SIGKILL);
    for (;;)
        pause();
}

/* What to do with a call: 0 do it, 1 fail it, 2 do it and die, 3 do half of it and die. */
static int judge(const char *call, const char *path)
{
    if (!below(path))
        return 0;
    long n = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    if (log_fd >= 0) {
        char line[2 * PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", n, call, path + root_length);
        syscall(SYS_write, log_fd, line, length);
    }
    if (mode == FAIL && sticky && at && n > at)
        return !(code == ENOSPC && !strcmp(call, "unlink"));
    if (n != at)
        return 0;
    switch (mode) {
    case BEFORE: die(); return 0;
    case AFTER: return 2;
    case TORN:
        if (strcmp(call, "write"))
            die();
        return 3;
    case STOP: syscall(SYS_kill, (pid_t)syscall(SYS_getpid), SIGSTOP); return 0;
    case FAIL: return 1;
    default: return 0;
    }
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define AROUND(call, path, half, whole)                                                                               \
    int verdict = judge(call, path);                                                                                  \
    if (verdict == 1) { errno = code; return -1; }                                                                    \
    if (verdict == 3) { (void)!(half); die(); }                                                                       \
    __typeof__(whole) result = (whole);                                                                               \
    if (verdict == 2) die();                                                                                          \
    return result

#define ON_PATH(type, name, call, arguments, values, folder, path)                                                    \
    type name arguments                                                                                               \
    {                                                                                                                 \
        REAL(name);                                                                                                   \
        char full[PATH_MAX];                                                                                          \
        path_at(folder, path, full);                                                                                  \
        AROUND(call, full, 0, real values);                                                                           \
    }

#define ON_PATHS(name, call, arguments, values, a, old, b, path)                                                      \
    int name arguments                                                                                                \
    {                                                                                                                 \
        REAL(name);                                                                                                   \
        char full[2 * PATH_MAX];                                                                                      \
        both_paths(a, old, b, path, full);                                                                            \
        AROUND(call, full, 0, real values);                                                                           \
    }

#define ON_FD(type, name, call, arguments, values, half)                                                              \
    type name arguments                                                                                               \
    {                                                                                                                 \
        REAL(name);                                                                                                   \
        char full[PATH_MAX];                                                                                          \
        path_of_fd(fd, full);                                                                                         \
        AROUND(call, full, half, real values);                                                                        \
    }

#define OPENS(name, arguments, values, folder)                                                                        \
    int name arguments                                                                                                \
    {                                                                                                                 \
        REAL(name);                                                                                                   \
        mode_t rights = 0;                                                                                            \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                                          \
            va_list rest;                                                                                             \
            va_start(rest, flags);                                                                                    \
            rights = va_arg(rest, mode_t);                                                                            \
            va_end(rest);                                                                                             \
        }                                                                                                             \
        if (!(flags & (O_CREAT | O_TRUNC)))                                                                           \
            return real values;                                                                                       \
        char full[PATH_MAX];                                                                                          \
        path_at(folder, path, full);                                                                                  \
        AROUND("open", full, 0, real values);                                                                         \
    }

OPENS(open, (const char *path, int flags, ...), (path, flags, rights), AT_FDCWD)
OPENS(open64, (const char *path, int flags, ...), (path, flags, rights), AT_FDCWD)
OPENS(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, rights), folder)
OPENS(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, rights), folder)

ON_FD(ssize_t, write, "write", (int fd, const void *data, size_t size), (fd, data, size), real(fd, data, size / 2))
ON_FD(ssize_t, pwrite, "write", (int fd, const void *data, size_t size, off_t off), (fd, data, size, off),
      real(fd, data, size / 2, off))
ON_FD(ssize_t, pwrite64, "write", (int fd, const void *data, size_t size, off64_t off), (fd, data, size, off),
      real(fd, data, size / 2, off))
ON_FD(ssize_t, writev, "write", (int fd, const struct iovec *parts, int n), (fd, parts, n), real(fd, parts, n / 2))
ON_FD(int, fsync, "fsync", (int fd), (fd), 0)
ON_FD(int, fdatasync, "fsync", (int fd), (fd), 0)
ON_FD(int, ftruncate, "truncate", (int fd, off_t size), (fd, size), 0)
ON_FD(int, ftruncate64, "truncate", (int fd, off64_t size), (fd, size), 0)
ON_FD(int, fchmod, "chmod", (int fd, mode_t rights), (fd, rights), 0)

ON_PATHS(rename, "rename", (const char *old, const char *path), (old, path), AT_FDCWD, old, AT_FDCWD, path)
ON_PATHS(renameat, "rename", (int a, const char *old, int b, const char *path), (a, old, b, path), a, old, b, path)
ON_PATHS(renameat2, "rename", (int a, const char *old, int b, const char *path, unsigned flags),
         (a, old, b, path, flags), a, old, b, path)
ON_PATHS(link, "link", (const char *old, const char *path), (old, path), AT_FDCWD, old, AT_FDCWD, path)
ON_PATHS(linkat, "link", (int a, const char *old, int b, const char *path, int flags), (a, old, b, path, flags), a, old,
         b, path)
ON_PATH(int, unlink, "unlink", (const char *path), (path), AT_FDCWD, path)
ON_PATH(int, unlinkat, "unlink", (int folder, const char *path, int flags), (folder, path, flags), folder, path)
ON_PATH(int, rmdir, "unlink", (const char *path), (path), AT_FDCWD, path)
ON_PATH(int, mkdir, "mkdir", (const char *path, mode_t rights), (path, rights), AT_FDCWD, path)
ON_PATH(int, mkdirat, "mkdir", (int folder, const char *path, mode_t rights), (folder, path, rights), folder, path)
ON_PATH(int, chmod, "chmod", (const char *path, mode_t rights), (path, rights), AT_FDCWD, path)
ON_PATH(int, fchmodat, "chmod", (int folder, const char *path, mode_t rights, int flags),
        (folder, path, rights, flags), folder, path)
ON_PATH(int, truncate, "truncate", (const char *path, off_t size), (path, size), AT_FDCWD, path)
