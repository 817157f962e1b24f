/* Loaded into Fehmarn before all else: a clock that is set, and a disk that fails. FEHMARN_TEST_MACHINE names a file of two
   numbers, seconds and an errno, which may change at any time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct machine { int64_t seconds, error; };
static volatile struct machine *machine;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FEHMARN_TEST_MACHINE");
    int file = path ? open(path, O_RDONLY) : -1;
    void *at = file < 0 ? MAP_FAILED : mmap(0, sizeof *machine, PROT_READ, MAP_SHARED, file, 0);
    if (at != MAP_FAILED) machine = at;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int clock_gettime(clockid_t clock, struct timespec *now) {
    static __typeof__(&clock_gettime) next;
    if (!next) next = NEXT(clock_gettime);
    int done = next(clock, now);
    if (!done && clock == CLOCK_REALTIME && machine) now->tv_sec += machine->seconds;
    return done;
}

/* Only files: not the log, not connections. */
static int fails(int file) {
    struct stat is;
    if (!machine || !machine->error || fstat(file, &is) || !S_ISREG(is.st_mode)) return 0;
    errno = (int)machine->error;
    return 1;
}

ssize_t write(int file, const void *bytes, size_t count) { return fails(file) ? -1 : NEXT(write)(file, bytes, count); }
ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    return fails(file) ? -1 : NEXT(pwrite)(file, bytes, count, at);
}
ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    return fails(file) ? -1 : NEXT(pwrite64)(file, bytes, count, at);
}
int fsync(int file) { return fails(file) ? -1 : NEXT(fsync)(file); }
int fdatasync(int file) { return fails(file) ? -1 : NEXT(fdatasync)(file); }
