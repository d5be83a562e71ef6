/* Files. Every path may be relative to the working directory; errors are negated errno values. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Names of files that are being written begin so; one that is left over after a crash may be
 * removed by whoever owns the folder. */
#define DISK_ASIDE_PREFIX ".tmp-"

/* The whole file, at most `max` bytes (-EFBIG above), with a NUL after them that `length` does not
 * count. free() it. Of a pipe all that is written to it; -EPIPE where nobody does. */
must_check int disk_read(const char *path, size_t max, char **ret_data, size_t *ret_length);

/* Replaces the file as a whole: written aside in the same folder, synced, renamed, the folder
 * synced. Readers see the old or the new file, also after a crash. On failure the file aside is
 * gone and the old one untouched, but for one case: if the last sync (of the folder) fails, the new
 * file is already in place and may not survive a loss of power. */
must_check int disk_write_atomic(const char *path, const void *data, size_t length, mode_t mode);

/* The same without a sync: after a crash of the machine the file may be the old one, the new one,
 * or the new one with part of what is in it. disk_sync() or disk_sync_file() make it last. */
must_check int disk_write_unsynced(const char *path, const void *data, size_t length, mode_t mode);
/* Puts the file and its place in the folder on the disk. */
must_check int disk_sync_file(const char *path);
/* Puts everything on the disk that the file system of this folder still holds in memory. */
must_check int disk_sync(const char *folder);

/* Makes a file end with these bytes, put behind its first `offset` ones; it is on the disk when
 * this returns 0. A file that was longer is cut. On failure it has its first `offset` bytes, unless
 * even that fails; -EIO where it was shorter. */
must_check int disk_append(const char *path, size_t offset, const void *data, size_t length);

/* Which file this is, and which state of it: two that are equal are of the same content, unless the
 * file was changed within the clock's tick in which it was looked at. No program can set
 * `changed_ns`. All zero: none. */
struct disk_identity {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns; /* since 1970 */
};
must_check int disk_identify(const char *path, struct disk_identity *ret);
/* Also where it cannot be seen: what must not be taken for missing is not. */
bool disk_may_exist(const char *path);

/* A copy of the whole file in read-only memory of our own: nothing that is done to the file later,
 * nor a disk that fails, can reach it. ERR_MAGIC where it is no regular file, ERR_TRUNCATED where
 * it is empty or becomes shorter meanwhile, -EFBIG above `max` bytes. Undo with disk_unmap(). */
must_check int disk_copy(const char *path, size_t max, const uint8_t **ret_data, size_t *ret_size);

/* 0: there is such a file, and it may be read. */
must_check int disk_readable(const char *path);

/* Maps a regular file read-only. An empty one gives size 0 and data that is not NULL. The file must
 * not be shortened while it is mapped (nothing here ever does: files are replaced, not edited). */
must_check int disk_map(const char *path, const uint8_t **ret_data, size_t *ret_size);
/* The same, and which file it is that was mapped, as it was just before. */
must_check int disk_map_identified(const char *path, const uint8_t **ret_data, size_t *ret_size,
                                   struct disk_identity *ret_identity);
void disk_unmap(const uint8_t *data, size_t size);

/* mkdir -p; 0 where it exists. `mode` is for the folders that are made. */
must_check int disk_folder_create(const char *path, mode_t mode);

/* One process at a time holds a folder: -EWOULDBLOCK while another does. Only who asks in this way
 * is kept out. A process that dies lets go. */
must_check int disk_folder_lock(const char *path, int *ret_lock);
void disk_folder_unlock(int lock);
/* Puts the names in the folder that is held on the disk. */
must_check int disk_folder_sync(int lock);

/* Calls `each` for every name in the folder but "." and "..", in no order; stops at its first
 * result that is not 0 and returns that. Files aside (DISK_ASIDE_PREFIX) are listed too. */
must_check int disk_list(const char *path, int (*each)(void *context, const char *name),
                         void *context);

/* Removes a file (not a folder). */
must_check int disk_remove(const char *path);
