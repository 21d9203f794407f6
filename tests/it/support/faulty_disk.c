/* A disk that fails as a test says: loaded into the gateway by LD_PRELOAD, it stands between SQLite and the C library.
 *
 * FAULTY_DISK        a folder; which files are in it says what goes wrong
 *   fail-sync        the next fsync of the store fails with EIO, once; `sync-failed` is made first
 *   full             files of the store cannot grow (ENOSPC), and statvfs says that there is no room
 *   low              statvfs says that there is almost no room
 *   nfs              statfs says that this is NFS
 *   record           every write, sync and change of size is appended to it
 * FAULTY_DISK_STORE  how the names of the store's files begin
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { NONE = 0, DATABASE = 1, WAL = 2, OTHER = 3 };
enum { WRITE = 1, SYNC = 2, SIZE = 3 };

struct entry {
    uint8_t kind, file, unused[2];
    uint32_t length;
    uint64_t offset;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char *named(char *path, size_t size, const char *name) {
    const char *folder = getenv("FAULTY_DISK");
    if (!folder) return NULL;
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static int ordered(const char *name) {
    char path[4096];
    return named(path, sizeof path, name) && access(path, F_OK) == 0;
}

static int file_of(int fd) {
    const char *store = getenv("FAULTY_DISK_STORE");
    char link[64], path[4096];
    struct stat stat;
    if (!store || fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) return NONE;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return NONE;
    path[length] = 0;
    size_t start = strlen(store);
    if (strncmp(path, store, start) != 0) return NONE;
    if (strcmp(path + start, "") == 0) return DATABASE;
    if (strcmp(path + start, "-wal") == 0) return WAL;
    return OTHER;
}

static void record(int kind, int file, uint64_t offset, const void *data, size_t length) {
    static int log = -2;
    if (file != DATABASE && file != WAL) return;
    if (log == -2) {
        char path[4096];
        log = named(path, sizeof path, "record") ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    }
    if (log < 0) return;
    struct entry *entry = malloc(sizeof *entry + length);
    if (!entry) abort();
    memset(entry, 0, sizeof *entry);
    entry->kind = kind;
    entry->file = file;
    entry->length = length;
    entry->offset = offset;
    if (length) memcpy(entry + 1, data, length);
    size_t all = sizeof *entry + length;
    if (REAL(write)(log, entry, all) != (ssize_t)all) abort();
    free(entry);
}

static int too_large(int fd, int file, uint64_t end) {
    struct stat stat;
    return file != NONE && fstat(fd, &stat) == 0 && end > (uint64_t)stat.st_size && ordered("full");
}

static ssize_t at(int fd, const void *data, size_t length, off_t offset, int moves) {
    int file = file_of(fd);
    if (file == NONE) return moves ? REAL(write)(fd, data, length) : REAL(pwrite)(fd, data, length, offset);
    if (too_large(fd, file, (uint64_t)offset + length)) {
        errno = ENOSPC;
        return -1;
    }
    pthread_mutex_lock(&lock);
    ssize_t done = moves ? REAL(write)(fd, data, length) : REAL(pwrite)(fd, data, length, offset);
    if (done > 0) record(WRITE, file, offset, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return at(fd, data, length, offset, 0); }
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) { return at(fd, data, length, offset, 0); }
ssize_t write(int fd, const void *data, size_t length) { return at(fd, data, length, lseek(fd, 0, SEEK_CUR), 1); }

static int size(int fd, off_t length) {
    int file = file_of(fd);
    if (too_large(fd, file, length)) {
        errno = ENOSPC;
        return -1;
    }
    pthread_mutex_lock(&lock);
    int done = REAL(ftruncate)(fd, length);
    if (done == 0) record(SIZE, file, length, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t length) { return size(fd, length); }
int ftruncate64(int fd, off_t length) { return size(fd, length); }

/* Held for as long as it takes: what is written meanwhile is not covered by it. */
static int sync_with(int fd, int (*real)(int)) {
    int file = file_of(fd);
    char order[4096], done[4096];
    if (file == DATABASE || file == WAL) {
        if (ordered("fail-sync") && named(done, sizeof done, "sync-failed")) {
            int mark = open(done, O_CREAT | O_WRONLY, 0600);
            if (mark >= 0) close(mark);
            if (named(order, sizeof order, "fail-sync") && unlink(order) == 0) {
                errno = EIO;
                return -1;
            }
        }
    }
    pthread_mutex_lock(&lock);
    int outcome = real(fd);
    if (outcome == 0) record(SYNC, file, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return outcome;
}

int fsync(int fd) { return sync_with(fd, REAL(fsync)); }
int fdatasync(int fd) { return sync_with(fd, REAL(fdatasync)); }

static void tell_room(struct statvfs *stat) {
    if (ordered("full")) stat->f_bavail = stat->f_bfree = 0;
    else if (ordered("low")) stat->f_bavail = stat->f_bfree = 4 * 1024 * 1024 / stat->f_frsize;
}

int statvfs(const char *path, struct statvfs *stat) {
    int outcome = REAL(statvfs)(path, stat);
    if (outcome == 0) tell_room(stat);
    return outcome;
}
int statvfs64(const char *path, struct statvfs64 *stat) {
    int outcome = REAL(statvfs64)(path, stat);
    if (outcome == 0) tell_room((struct statvfs *)stat);
    return outcome;
}

int statfs(const char *path, struct statfs *stat) {
    int outcome = REAL(statfs)(path, stat);
    if (outcome == 0 && ordered("nfs")) stat->f_type = 0x6969;
    return outcome;
}
int statfs64(const char *path, struct statfs64 *stat) {
    int outcome = REAL(statfs64)(path, stat);
    if (outcome == 0 && ordered("nfs")) stat->f_type = 0x6969;
    return outcome;
}
