/* Contracts that the compiler checks, written before a prototype. */
#pragma once

#define must_check        __attribute__((warn_unused_result))
#define pure_function     __attribute__((pure))
#define const_function    __attribute__((const))
#define no_return         __attribute__((noreturn))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define cleanup(f)        __attribute__((cleanup(f)))
#define cache_aligned     __attribute__((aligned(64)))
#define likely(x)         __builtin_expect(!!(x), 1)
#define unlikely(x)       __builtin_expect(!!(x), 0)
#define array_length(a)   (sizeof(a) / sizeof((a)[0]))
