#include "serve/dns/fingerprint_io.h"
#include "test/check_main.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEGABYTE = 1 << 20 };

static struct mapped file_make(size_t size, int *ret_fd)
{
    *ret_fd = memfd_create("fingerprint", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(*ret_fd, (off_t)size), 0);
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd, 0);
    ck_assert_ptr_ne(data, MAP_FAILED);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)data)[i] = (uint8_t)(i * 2654435761u >> 13);
    return (struct mapped){data, size};
}

/* One bit anywhere, the length, and the order of parts make it another; how many threads take it
 * does not. */
START_TEST(test_every_byte_counts)
{
    enum { SIZE = 2 * MEGABYTE + 12345 };
    static const size_t places[] = {0, 4095, MEGABYTE - 1, MEGABYTE, 2 * MEGABYTE, SIZE - 1};
    int fd;
    struct mapped file = file_make(SIZE, &fd);
    uint8_t *bytes = (uint8_t *)(uintptr_t)file.data;
    struct hash128 whole = fingerprint_take(&file, false);
    ck_assert(hash128_equal(fingerprint_take(&file, true), whole));
    for (size_t i = 0; i < array_length(places); i++) {
        bytes[places[i]] ^= 0x40;
        ck_assert(!hash128_equal(fingerprint_take(&file, i & 1), whole));
        bytes[places[i]] ^= 0x40;
    }
    ck_assert(hash128_equal(fingerprint_take(&file, true), whole));

    struct mapped shorter[] = {{bytes, SIZE - 1}, {bytes, 2 * MEGABYTE}, {bytes, 0}};
    for (size_t i = 0; i < array_length(shorter); i++)
        ck_assert(!hash128_equal(fingerprint_take(&shorter[i], true), whole));

    static uint8_t first[MEGABYTE];
    memcpy(first, bytes, MEGABYTE);
    memcpy(bytes, bytes + MEGABYTE, MEGABYTE);
    memcpy(bytes + MEGABYTE, first, MEGABYTE);
    ck_assert(!hash128_equal(fingerprint_take(&file, true), whole));
    munmap(bytes, SIZE);
    close(fd);
}
END_TEST

CHECK_MAIN("fingerprint", test_every_byte_counts)
