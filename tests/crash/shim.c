/* Stands between a process and the kernel (LD_PRELOAD): counts, kills, fails and logs.
 *
 * Only what touches the watched folder or one of the two watched ports is seen; everything else
 * passes through. What is seen is named by its call and by the role of the file or socket:
 *
 *     write, pwrite, fsync, fdatasync, ftruncate, open, rename, unlink, send, recv
 *     database, wal, shm, lock, journal, copy, directory, other, receiver, server
 *
 * The page that is shared with the parent (crash_share) outlives the process: it says how many
 * boundaries there were, which, and at which the process was killed. A log (crash_log) has every
 * change of a file and every byte that left for the receiver, in the order they happened.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { OPEN, WRITE, PWRITE, FSYNC, FDATASYNC, FTRUNCATE, RENAME, UNLINK, SEND, RECV };
enum role {
    NONE, DATABASE, WAL, SHM, LOCK, JOURNAL, COPY, DIRECTORY, OTHER, RECEIVER, SERVER
};

#define FILES 4096
#define STEPS 60000

struct page {
    uint64_t count;
    uint64_t killed_at;
    uint64_t failed;
    uint8_t steps[STEPS];
};

struct record {
    uint8_t call, role;
    uint16_t name;
    uint32_t length;
    int64_t offset;
};

static struct page own_page, *page = &own_page;
static uint8_t roles[FILES];
static char names[FILES][128];
static char folder[256];
static int receiver_port, server_port, log_to = -1;
static int64_t kill_at, fail_from, fail_count, fail_seen;
static int kill_after, fail_calls, fail_roles, fail_error;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static ssize_t plain_write(int fd, const void *from, size_t length)
{
    REAL(write);
    return real(fd, from, length);
}

/* ------------------------------------------------------------------ what the parent sets */

void crash_watch(const char *path, int receiver, int server)
{
    strncpy(folder, path, sizeof folder - 1);
    receiver_port = receiver;
    server_port = server;
}

void crash_share(int fd)
{
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

void crash_kill(int64_t at, int after) { kill_at = at; kill_after = after; }

void crash_log(int fd) { log_to = fd; }

/* From the `from`th such call on, `count` of them fail; with `error` 0 half of it is written. */
void crash_fail(int calls, int role_bits, int64_t from, int64_t count, int error)
{
    fail_calls = calls;
    fail_roles = role_bits;
    fail_from = from;
    fail_count = count;
    fail_error = error;
    fail_seen = 0;
}

/* ------------------------------------------------------------------ what is seen */

static int role_of(const char *path)
{
    size_t length = strlen(folder);
    if (!length || strncmp(path, folder, length)) return NONE;
    if (!path[length]) return DIRECTORY;
    if (path[length] != '/') return NONE;
    if (strstr(path, ".revision-")) return COPY;
    if (strstr(path, "-wal")) return WAL;
    if (strstr(path, "-shm")) return SHM;
    if (strstr(path, "-journal")) return JOURNAL;
    if (strstr(path, ".lock")) return LOCK;
    return strstr(path, ".db") ? DATABASE : OTHER;
}

static int seen(int fd) { return fd >= 0 && fd < FILES ? roles[fd] : NONE; }

static void note(int call, int role, const char *name, int64_t offset, const void *of, size_t length)
{
    if (log_to < 0) return;
    struct record head = {call, role, strlen(name), length, offset};
    plain_write(log_to, &head, sizeof head);
    plain_write(log_to, name, head.name);
    plain_write(log_to, of, length);
}

static void die(uint64_t at)
{
    page->killed_at = at;
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static uint64_t before(int call, int role)
{
    uint64_t at = __atomic_add_fetch(&page->count, 1, __ATOMIC_SEQ_CST);
    if (at <= STEPS) page->steps[at - 1] = call << 4 | role;
    if (kill_at && at == (uint64_t)kill_at && !kill_after) die(at);
    return at;
}

static void after(uint64_t at)
{
    if (kill_at && at == (uint64_t)kill_at && kill_after) die(at);
}

/* 0: go on, 1: fail with errno set, 2: do half of it */
static int fails(int call, int role)
{
    if (!(fail_calls >> call & 1) || !(fail_roles >> role & 1)) return 0;
    int64_t now = __atomic_add_fetch(&fail_seen, 1, __ATOMIC_SEQ_CST);
    if (now < fail_from || now >= fail_from + fail_count) return 0;
    page->failed++;
    errno = fail_error;
    return fail_error ? 1 : 2;
}

static void lock(void) { if (log_to >= 0) pthread_mutex_lock(&order); }
static void unlock(void) { if (log_to >= 0) pthread_mutex_unlock(&order); }

/* ------------------------------------------------------------------ files */

static int opened(int fd, const char *path, int role)
{
    if (fd < 0 || fd >= FILES) return fd;
    roles[fd] = role;
    strncpy(names[fd], path, sizeof names[fd] - 1);
    return fd;
}

static int open_any(const char *path, int flags, mode_t mode)
{
    static int (*real)(const char *, int, ...);
    if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    int role = role_of(path);
    if (role == NONE) {
        int fd = real(path, flags, mode);
        if (fd >= 0 && fd < FILES) roles[fd] = NONE;
        return fd;
    }
    uint64_t at = before(OPEN, role);
    if (fails(OPEN, role) == 1) return -1;
    lock();
    int fresh = (flags & O_CREAT) && access(path, F_OK);
    int fd = opened(real(path, flags, mode), path, role);
    if (fd >= 0 && fresh) note(OPEN, role, path, 0, "", 0);
    if (fd >= 0 && flags & O_TRUNC) note(FTRUNCATE, role, path, 0, "", 0);
    unlock();
    after(at);
    return fd;
}

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE_OF(flags) return open_any(path, flags, mode); }

int open64(const char *path, int flags, ...) { MODE_OF(flags) return open_any(path, flags, mode); }

int close(int fd)
{
    REAL(close);
    if (fd >= 0 && fd < FILES) roles[fd] = NONE;
    return real(fd);
}

ssize_t pwrite64(int fd, const void *from, size_t length, off64_t offset)
{
    REAL(pwrite64);
    int role = seen(fd);
    if (role == NONE) return real(fd, from, length, offset);
    uint64_t at = before(PWRITE, role);
    int how = fails(PWRITE, role);
    if (how == 1) return -1;
    if (how == 2 && length > 1) length /= 2;
    lock();
    ssize_t done = real(fd, from, length, offset);
    if (done > 0) note(PWRITE, role, names[fd], offset, from, done);
    unlock();
    after(at);
    return done;
}

ssize_t pwrite(int fd, const void *from, size_t length, off_t offset)
{
    return pwrite64(fd, from, length, offset);
}

static ssize_t socket_write(int fd, const void *from, size_t length, int flags)
{
    REAL(send);
    int role = seen(fd);
    if (role == NONE) return real(fd, from, length, flags);
    uint64_t at = before(SEND, role);
    lock();
    ssize_t done = real(fd, from, length, flags);
    if (done > 0 && role == RECEIVER) note(SEND, role, names[fd], fd, from, done);
    unlock();
    after(at);
    return done;
}

ssize_t write(int fd, const void *from, size_t length)
{
    int role = seen(fd);
    if (role == NONE) return plain_write(fd, from, length);
    if (role >= RECEIVER) return socket_write(fd, from, length, 0);
    uint64_t at = before(WRITE, role);
    int how = fails(WRITE, role);
    if (how == 1) return -1;
    if (how == 2 && length > 1) length /= 2;
    lock();
    off_t offset = lseek(fd, 0, SEEK_CUR);
    if (fcntl(fd, F_GETFL) & O_APPEND) offset = lseek(fd, 0, SEEK_END);
    ssize_t done = plain_write(fd, from, length);
    if (done > 0) note(PWRITE, role, names[fd], offset, from, done);
    unlock();
    after(at);
    return done;
}

static int synced(int call, int fd, int (*real)(int))
{
    int role = seen(fd);
    if (role == NONE) return real(fd);
    uint64_t at = before(call, role);
    if (fails(call, role) == 1) return -1;
    lock();
    int done = real(fd);
    if (!done) note(FSYNC, role, names[fd], 0, "", 0);
    unlock();
    after(at);
    return done;
}

int fsync(int fd)
{
    REAL(fsync);
    return synced(FSYNC, fd, real);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    return synced(FDATASYNC, fd, real);
}

int ftruncate64(int fd, off64_t length)
{
    REAL(ftruncate64);
    int role = seen(fd);
    if (role == NONE) return real(fd, length);
    uint64_t at = before(FTRUNCATE, role);
    if (fails(FTRUNCATE, role) == 1) return -1;
    lock();
    int done = real(fd, length);
    if (!done) note(FTRUNCATE, role, names[fd], length, "", 0);
    unlock();
    after(at);
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int rename(const char *from, const char *to)
{
    REAL(rename);
    int role = role_of(from);
    if (role == NONE) return real(from, to);
    uint64_t at = before(RENAME, role);
    lock();
    int done = real(from, to);
    if (!done) note(RENAME, role, from, 0, to, strlen(to));
    unlock();
    after(at);
    return done;
}

int unlink(const char *path)
{
    REAL(unlink);
    int role = role_of(path);
    if (role == NONE) return real(path);
    uint64_t at = before(UNLINK, role);
    lock();
    int done = real(path);
    if (!done) note(UNLINK, role, path, 0, "", 0);
    unlock();
    after(at);
    return done;
}

/* ------------------------------------------------------------------ sockets */

int connect(int fd, const struct sockaddr *to, socklen_t length)
{
    REAL(connect);
    if (to->sa_family == AF_INET && fd >= 0 && fd < FILES) {
        int port = ntohs(((const struct sockaddr_in *)to)->sin_port);
        if (port == receiver_port && port) roles[fd] = RECEIVER;
        if (port == server_port && port) roles[fd] = SERVER;
        names[fd][0] = 0;
    }
    return real(fd, to, length);
}

ssize_t send(int fd, const void *from, size_t length, int flags)
{
    return socket_write(fd, from, length, flags);
}

ssize_t sendto(int fd, const void *from, size_t length, int flags, const struct sockaddr *to,
               socklen_t size)
{
    REAL(sendto);
    return to ? real(fd, from, length, flags, to, size) : socket_write(fd, from, length, flags);
}

ssize_t recv(int fd, void *into, size_t length, int flags)
{
    REAL(recv);
    int role = seen(fd);
    struct pollfd ready = {fd, POLLIN, 0};
    if (role == NONE || (flags & MSG_PEEK) || poll(&ready, 1, 0) <= 0)
        return real(fd, into, length, flags);
    uint64_t at = before(RECV, role);
    ssize_t done = real(fd, into, length, flags);
    if (done > 0 && role == RECEIVER) {
        lock();
        note(RECV, role, "", fd, into, done);
        unlock();
    }
    after(at);
    return done;
}

ssize_t recvfrom(int fd, void *into, size_t length, int flags, struct sockaddr *from,
                 socklen_t *size)
{
    REAL(recvfrom);
    return from ? real(fd, into, length, flags, from, size) : recv(fd, into, length, flags);
}
