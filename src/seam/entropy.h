/* Unpredictable bytes from the kernel: seeds, unique names, keys. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Fills all of it (getrandom(2)); cannot fail, may wait in the first second after the boot. */
void entropy_fill(void *data, size_t size);

uint64_t entropy_u64(void);
