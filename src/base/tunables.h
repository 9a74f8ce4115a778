/* SPDX-License-Identifier: MIT */
/*
 * tunables.h: numbers that may change without changing the layout of memory. Each says its unit,
 * its range and why it has its value.
 */
#ifndef HAK_BASE_TUNABLES_H
#define HAK_BASE_TUNABLES_H

#include <stdint.h>

/* Bins: capacity in bytes of one class, and at first in blocks. A burst that fits the bin never
 * sees a slab; a bin that is too large holds memory that no other thread can use. Refills widen a
 * bin to FIRST; one that both overflows and runs empty is too small, and doubles, up to MAX. On
 * 1000 blocks of 2-64 KiB replaced at random this takes a third of the time of the first capacity,
 * and half the memory: fewer blocks go round. */
#define HAK_BIN_FIRST_BYTES  ((uint32_t)64 * 1024)
#define HAK_BIN_FIRST_BLOCKS 128u
#define HAK_BIN_MAX_BYTES    ((uint32_t)1024 * 1024)
/* All bins of a thread together: what they may hold at first, and what it may grow to where they
 * are used so much; less where many threads share the last. A hundred threads that each had bursts
 * of 64 classes and sleep keep 0.1 MiB each, rather than 4. */
#define HAK_BUDGET_FIRST_BYTES ((uint32_t)256 * 1024)
#define HAK_BUDGET_MAX_BYTES   ((uint32_t)12 * 1024 * 1024)
#define HAK_BUDGETS_BYTES      ((uint32_t)64 * 1024 * 1024)
/* A thread's bins are scanned for those that it does not use every so often (ms); and when it gets
 * a slab, if it has got one part in 2^SHIFT of its slabs since, and its bins and spare slabs may
 * hold more than its share of so much, or than the least. */
#define HAK_SCAN_MS        250u
#define HAK_SCAN_SHIFT     6
#define HAK_SCAN_BYTES     ((uint32_t)1024 * 1024)
#define HAK_SCAN_BYTES_MIN ((uint32_t)64 * 1024)
/* Where more than one in so many of the classes that a scan empties are used again before the next,
 * the thread gets twice as many slabs until then, up to so large a part of the largest budget. */
#define HAK_SCAN_REGRETS  4u
#define HAK_SCAN_GAP_PART 4u
/* Overflows beyond its capacity, without a refill between, before a bin gets smaller. */
#define HAK_BIN_SHRINK_AFTER 16u
/* Places that it then loses at once: so few that the longest free stays below 10000 cycles where
 * each block's slab is cold. */
#define HAK_BIN_SHRINK_BY 8u
/* Overflows of a bin without room from one count of them to the next. */
#define HAK_BIN_COUNT_AFTER 64u

/* Blocks that one refill takes (1..64): one bitmap word is the natural batch. */
#define HAK_REFILL_BLOCKS_DEFAULT 64u
#define HAK_REFILL_BLOCKS_MAX     64u
/* A class's first refill asks for this many, each further one for twice as many: a class that a
 * program hardly uses does not fill a bin and touch pages that nobody asked for. */
#define HAK_REFILL_BLOCKS_FIRST 2u
/* Bytes that one refill takes at most, so that large classes are not hoarded. */
#define HAK_REFILL_BYTES_MAX ((uint32_t)16 * 1024)

/* A sender's cache of remote frees: entries (a power of two), and the bytes freed after which all
 * are posted, so that none waits for long, and a thread that sleeps holds little back. */
#define HAK_SENDER_SHIFT   4
#define HAK_SENDER_ENTRIES (1u << HAK_SENDER_SHIFT)
/* Addresses this close share an entry: a word of 64 blocks of 64 bytes. */
#define HAK_SENDER_REACH_SHIFT 12
#define HAK_SENDER_FLUSH_BYTES ((uint32_t)512 << 10)
/* A refill posts them too, once there are this many: the thread is on a slow path anyway. */
#define HAK_SENDER_FLUSH_REFILL ((uint32_t)32 << 10)

/* Wholly free slabs that a heap keeps, one a class, for the next request of the class; a scan
 * empties those of classes that are not used. */
#define HAK_SPARE_BYTES_MAX ((size_t)512 << 10)

/* Empty superslabs kept mapped for the next span. */
#define HAK_EMPTY_SUPERSLABS_KEPT 2u

/* Free memory goes back when it is this old (ms), but for so many bytes of it. Long enough for a
 * program's phases to follow each other without faults, short enough that the resident size follows
 * the live data within a second. */
#define HAK_PURGE_AGE_MS     250u
#define HAK_PURGE_KEEP_BYTES ((size_t)4 << 20)
#define HAK_AGE_MS_MAX       ((uint64_t)1 << 40)

/* The kernel may make a huge page of one that was given back in part (khugepaged), as a rule in
 * rounds of 10 s: so long after (ms), a purge of everything gives the free parts back once more. */
#define HAK_PURGE_AGAIN_MS 10000u

/* Visits of malloc's slow path from one look at the clock to the next, where they come fast. A look
 * takes 7 ns; a thread that turns slow makes so many calls before the next one. */
#define HAK_PURGE_VISITS 8u
/* So many in a tick of the coarse clock do not come fast yet: a few calls together, and then two a
 * second, would be seen after seconds. */
#define HAK_PURGE_VISITS_RARE 16u
/* A step of a purge gives back so large a part of what is idle, within bounds: its one system call
 * takes some 50 us a MiB. */
#define HAK_PURGE_STEPS          16u
#define HAK_PURGE_STEP_BYTES_MIN ((size_t)2 << 20)
#define HAK_PURGE_STEP_BYTES_MAX ((size_t)16 << 20)
/* After a pause of so long (ms) a visit may give back all that is due, after a shorter one the same
 * part of it; but no more bytes for each ms of the pause than the kernel takes in a fifth of it.
 */
#define HAK_PURGE_SPREAD_MS  250u
#define HAK_PURGE_BYTES_A_MS ((size_t)4 << 20)
/* Free pages in slabs are looked for where a heap has so much free in them, once in the age, or in
 * so long (ms) if that is longer; a look gives back so many bytes at most, some 50 us a MiB, and is
 * one of so many where so much more came back: slabs have to stay as they are from one look to the
 * next. So many heaps of threads that are away are claimed at a time, at some 5 us each; those that
 * gave nothing in so many looks are left alone until they are used. */
#define HAK_CARE_GAP_MS     25u
#define HAK_CARE_CLAIMS     16u
#define HAK_CARE_VAIN       2u
#define HAK_CARE_KEEP_BYTES ((size_t)1 << 20)
#define HAK_CARE_NOTE_BYTES ((size_t)4 << 20)
#define HAK_CARE_BYTES_MAX  ((size_t)16 << 20)
#define HAK_CARE_LOOKS      3u
/* After posts of a flush all threads are alerted in case their owner is away: again after so long
 * (ms), or twice as long each time that it was not, up to MAX. */
#define HAK_CARE_POST_MS     250u
#define HAK_CARE_POST_MS_MAX 4000u
/* A thread is watched for twice the age and this long (ms), since a span may reach the age in its
 * tier and again in the span source; or, where big blocks are kept, so long that it includes
 * bigcache's age. Not at all where the age (ms) is this large, since its calls are slower
 * meanwhile.
 */
#define HAK_WATCH_MS     200u
#define HAK_WATCH_BIG_MS 1500u
#define HAK_WATCH_AGE_MS 5000u
/* A watched thread that makes more mallocs than this between two ticks of the coarse clock (1 to 10
 * ms) is busy, and let go if so many of them came to the slow path by themselves. Visits that still
 * find something to give back have it watched again, but not before this long (ms). */
#define HAK_WATCH_BUSY     1024u
#define HAK_WATCH_NATURAL  4u
#define HAK_WATCH_AGAIN_MS 10u
/* Nor before it was like that in so many ticks in a row. */
#define HAK_WATCH_TICKS 4u
/* Frees of a watched thread without a look by malloc, after which it looks at the clock itself. */
#define HAK_WATCH_FREES 1024u
/* Other threads are alerted when more is idle than is kept, and again when it is so many bytes more
 * than the last time; or more than the least since then, after so long (ms). So many threads at a
 * time by a free, and by a visit: each may cost two lines that another processor has. */
#define HAK_ALERT_BYTES    ((size_t)8 << 20)
#define HAK_ALERT_AGAIN_MS 1000u
#define HAK_ALERT_BY_FREE  8u
#define HAK_ALERT_BY_VISIT 64u
/* Who has looked at the clock so long ago (ms) may be asleep. */
#define HAK_ALERT_DUTY_MS 50u
/* A free of a watched thread looks at so many bins and sends so many blocks of one to their slabs.
 */
#define HAK_WATCH_LOOKS 16u
#define HAK_WATCH_DRAIN 8u
/* The purge thread sleeps half the age, and at least this long (ms). */
#define HAK_PURGE_SLEEP_MS_MIN 10u
/* Groups of superslabs that one step looks at. */
#define HAK_PURGE_GROUPS 16u

/* A recycled block is zeroed by giving its pages back when few of them hold anything: a page that
 * is faulted in again costs 4 to 14 times the writing of zeros. So many pieces of so many bytes are
 * looked at, and as many again for each that is not zero; with FINDS of these the block is written.
 * Where chance decides, a block with data on 1 page in 2 is taken for an empty one 1 time in 250, 1
 * in 4 1 time in 7; one with data on 1 page in 64 is written 1 time in 260. */
#define HAK_ZERO_LOOKS      8u
#define HAK_ZERO_LOOK_BYTES ((size_t)4096) /* divides every page size */
#define HAK_ZERO_FINDS      3u
/* From this many bytes on, so that a system call is worth while. */
#define HAK_ZERO_LARGE_BYTES ((size_t)1 << 20)

/* Mappings that could not be unmapped, tried again with each that can. */
#define HAK_LEFTOVER_TRIES 8u

/* Looks at a held lock before the thread sleeps until it is released: about the time of a critical
 * section. */
#define HAK_LOCK_SPINS 64u

/* Random addresses tried for the tag map before the process is told that memory is out. */
#define HAK_REGION_TRIES 16u

/* Mid pages: a page should hold about this many blocks, so that few are left over. */
#define HAK_MID_PAGE_BLOCKS 8u

/* L2.5: shards at most, and bytes that all of them keep for reuse. */
#define HAK_L25_SHARDS_SHIFT 6
#define HAK_L25_SHARDS_MAX   (1u << HAK_L25_SHARDS_SHIFT)
#define HAK_L25_KEEP_BYTES   ((size_t)1 << 20)
/* The number of shards doubles when more than 1 in SPLIT visits of a window had to wait, and halves
 * after so many windows in which none had to. */
#define HAK_L25_WINDOW        256u
#define HAK_L25_SPLIT         8u
#define HAK_L25_MERGE_WINDOWS 64u
/* Whole spans that a thread keeps in its bins: bytes of all of them. */
#define HAK_SPAN_BIN_BYTES ((uint32_t)1 << 20)

/* Bigcache: bytes and age (ms) that freed mappings are kept for reuse; 1/64 of the memory, up to
 * the limit. A working set of 300 MiB in buffers of 5-25 MiB needs 170 MiB to be served without
 * page faults; with 128 MiB it has as large a peak, and takes twice the time. */
#define HAK_BIGCACHE_SHARE  64u
#define HAK_BIGCACHE_BYTES  ((size_t)256 << 20)
#define HAK_BIGCACHE_AGE_MS 1000u
/* Hash buckets, as many as kept mappings. */
#define HAK_BIGCACHE_BUCKETS_MIN ((size_t)256)
#define HAK_BIGCACHE_BUCKETS_MAX ((size_t)65536)
/* Classes a doubling, as a shift; a request takes a mapping at most 1 / 2^this larger. */
#define HAK_BIGCACHE_STEP_SHIFT 3
/* What a fitting mapping has over is cut off and kept from this size on. */
#define HAK_BIGCACHE_SPLIT_BYTES ((size_t)128 << 10)
/* Mappings whose pages are moved together for one request, at most; and the kernel's mappings that
 * a block may consist of and still be kept, so that their number stays small. */
#define HAK_BIGCACHE_PIECES 8u
#define HAK_BIGCACHE_SEAMS  64u
/* Pages are moved together only when more than 1 in this many of the live ones are kept: with less
 * spare memory most requests would need it. */
#define HAK_BIGCACHE_SLACK 4u
/* Times that the kernel may refuse to move pages before it is not asked any more: what it leaves at
 * the place that they were to move to is lost. */
#define HAK_BIGCACHE_FAILS 16u
/* Kept mappings looked at for one whose pages can be used when none fits. */
#define HAK_BIGCACHE_TRIES 64u

/* With guards=audit: fills and flushes from one look at a random slab to the next. */
#define HAK_AUDIT_PATHS 16u

/* Odd, with well mixed high bits after a multiplication (2^64 / golden ratio; Knuth 6.4). */
#define HAK_HASH_MULTIPLIER 0x9e3779b97f4a7c15u

/* Chains of the table of big blocks: the kernel allows 65 530 mappings by default, so chains stay
 * near one. The table is 128 KiB of zero pages until used. */
#define HAK_BIG_CHAINS_SHIFT 14

#endif
