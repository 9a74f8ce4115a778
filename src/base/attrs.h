/* SPDX-License-Identifier: MIT */
/*
 * attrs.h: compiler attributes under names of our own, so that no other file speaks a compiler's
 * dialect. GCC and Clang are the compilers supported.
 */
#ifndef HAK_BASE_ATTRS_H
#define HAK_BASE_ATTRS_H

#define HAK_COLD       __attribute__((cold, noinline))
#define HAK_NOINLINE   __attribute__((noinline))
#define HAK_INLINE     static inline __attribute__((always_inline))
#define HAK_NORETURN   __attribute__((noreturn))
#define HAK_EXPORT     __attribute__((visibility("default")))
#define HAK_HIDDEN     __attribute__((visibility("hidden")))
#define HAK_WEAK       __attribute__((weak))
#define HAK_USED       __attribute__((used))
#define HAK_ALIGNED(n) __attribute__((aligned(n)))
#define HAK_TLS        __thread __attribute__((tls_model("initial-exec")))

/* A function that the dynamic linker jumps to: on x86 with the stack as no call leaves it. */
#if defined(__x86_64__) || defined(__i386__)
#define HAK_ENTRY __attribute__((noreturn, used, force_align_arg_pointer))
#else
#define HAK_ENTRY __attribute__((noreturn, used))
#endif

/* A call that must be a jump: HAK_TAIL_CALL before its `return`, HAK_TAIL_CALLS before the function
 * it stands in, for the compilers that have only an optimisation for it. */
#if defined(__has_attribute) && __has_attribute(musttail)
#define HAK_TAIL_CALL __attribute__((musttail))
#define HAK_TAIL_CALLS
#else
#define HAK_TAIL_CALL
#define HAK_TAIL_CALLS __attribute__((optimize("O2")))
#endif

/* Which lock guards what, for clang's analysis (tests/lint/thread_safety.py); nothing elsewhere.
 * HAK_GUARDED_STATIC defines a static struct that is read and written under its own lock;
 * HAK_GUARDED_EXTERN declares one that the files of a module share.
 * HAK_UNCHECKED: the analysis does not follow the function; it says why. */
#if defined(__clang__)
#define HAK_THREAD_SAFETY(x) __attribute__((x))
#else
#define HAK_THREAD_SAFETY(x)
#endif
#define HAK_CAPABILITY(name)   HAK_THREAD_SAFETY(capability(name))
#define HAK_GUARDED_BY(lock)   HAK_THREAD_SAFETY(guarded_by(lock))
#define HAK_REQUIRES(lock)     HAK_THREAD_SAFETY(requires_capability(lock))
#define HAK_EXCLUDES(lock)     HAK_THREAD_SAFETY(locks_excluded(lock))
#define HAK_ACQUIRES(lock)     HAK_THREAD_SAFETY(acquire_capability(lock))
#define HAK_TRY_ACQUIRES(lock) HAK_THREAD_SAFETY(try_acquire_capability(1, lock))
#define HAK_RELEASES(lock)     HAK_THREAD_SAFETY(release_capability(lock))
#define HAK_UNCHECKED          HAK_THREAD_SAFETY(no_thread_safety_analysis)
#define HAK_GUARDED_STATIC(type, name)                                                             \
    static type name;                                                                              \
    static type name HAK_GUARDED_BY(name.lock)
#define HAK_GUARDED_EXTERN(type, name)                                                             \
    extern type name;                                                                              \
    extern type name HAK_GUARDED_BY(name.lock)

/* Sanitizers reserve parts of the address space; geometry.h keeps out of their way. */
#if defined(__has_feature)
#define HAK_HAS_FEATURE(x) __has_feature(x)
#else
#define HAK_HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAK_HAS_FEATURE(address_sanitizer)
#define HAK_UNDER_ASAN 1
#else
#define HAK_UNDER_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || HAK_HAS_FEATURE(thread_sanitizer)
#define HAK_UNDER_TSAN 1
#else
#define HAK_UNDER_TSAN 0
#endif

/* Tells the processor that this is a spin loop. */
#if defined(__x86_64__) || defined(__i386__)
#define hak_cpu_pause() __builtin_ia32_pause()
#else
#define hak_cpu_pause() __asm__ volatile("" ::: "memory")
#endif

/* For the fast paths; the length of malloc's and free's is a golden. hak_opaque keeps the compiler
 * from computing an address once and keeping it in a register where base + index would do;
 * hak_result tells it early that a value is the function's result; hak_decrement_or takes 1 off a
 * counter and jumps when it falls below zero, in two instructions. */
#define hak_opaque(x) __asm__("" : "+r"(x))
#if defined(__x86_64__)
#define hak_result(x) __asm__("" : "+a"(x))
#define hak_decrement_or(counter, label)                                                           \
    __asm__ goto("subl $1, %0\n\tjs %l[" #label "]" : : "m"(counter) : "cc", "memory" : label)
#else
#define hak_result(x) hak_opaque(x)
#define hak_decrement_or(counter, label)                                                           \
    do {                                                                                           \
        if (--(counter) < 0) goto label;                                                           \
    } while (0)
#endif

/* Add to and subtract from a 64-bit counter that one thread at a time writes and any may read: a
 * relaxed load and store, without a locked instruction. On x86-64 they are one instruction, which
 * ThreadSanitizer would not see. */
#if defined(__x86_64__) && !HAK_UNDER_TSAN
#define hak_count_up(counter, by)                                                                  \
    __asm__("addq %1, %0" : "+m"(*(uint64_t *)(counter)) : "er"((uint64_t)(by)) : "cc")
#define hak_count_down(counter, by)                                                                \
    __asm__("subq %1, %0" : "+m"(*(uint64_t *)(counter)) : "er"((uint64_t)(by)) : "cc")
#else
#define hak_count_up(counter, by)                                                                  \
    atomic_store_explicit(counter,                                                                 \
                          atomic_load_explicit(counter, memory_order_relaxed) + (uint64_t)(by),    \
                          memory_order_relaxed)
#define hak_count_down(counter, by) hak_count_up(counter, -(uint64_t)(by))
#endif

#define hak_likely(x)   __builtin_expect(!!(x), 1)
#define hak_unlikely(x) __builtin_expect(!!(x), 0)

#endif
