/* The small mapped files of DATA/run: written by one process without system calls, read by others
 * while it runs and after it died. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>

struct run_file {
    void *map;
    size_t size;
    int fd;
};

/* A zeroed file of `size` bytes under a temporary name, mapped for writing; its blocks are
 * allocated, so a full disk shows here (-ENOSPC) and not as a signal at a later write. Makes
 * DATA/run. A reader sees the complete file or none, and keeps what it mapped when a new one takes
 * its place. */
must_check int run_file_make(const char *data, const char *name, size_t size, struct run_file *ret);
/* Gives the file made above its name; on failure it is removed and closed. */
must_check int run_file_publish(const char *data, const char *name, struct run_file *f);
/* The file itself, made or grown to at least `size` bytes (never shortened: others may have it
 * mapped), mapped whole for writing. For roles whose system call filter forbids renaming. */
must_check int run_file_grow(const char *data, const char *name, size_t size, struct run_file *ret);
/* The same of a file of DATA itself: which outlives boots, and a DATA/run that is made anew. */
must_check int run_file_grow_kept(const char *data, const char *name, size_t size,
                                  struct run_file *ret);
must_check int run_file_open_kept(const char *data, const char *name, struct run_file *ret);
/* An existing file: for writing or read-only. ERR_MISSING, or a negated errno. */
must_check int run_file_open(const char *data, const char *name, bool write, struct run_file *ret);
void run_file_close(struct run_file *f);
/* Closes the descriptor and keeps the mapping. */
void run_file_unhold(struct run_file *f);

/* Holds the byte at `at` (it need not exist) until this process ends, however it ends; -EAGAIN
 * where another process does. */
must_check int run_file_hold(const struct run_file *f, size_t at);
/* Does a process hold it (this one through another descriptor included)? */
bool run_file_held(const struct run_file *f, size_t at);
