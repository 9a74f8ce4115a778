/* SPDX-License-Identifier: MIT */
/*
 * remote.pml: the protocol of src/meta/remote.c and the changes of owner in src/meta/orphans.c, one
 * step here for each access to a shared atomic there; for spin, run by check_model.py.
 *
 * All shared accesses are sequentially consistent in C, so interleavings are all there is; the
 * relaxed peek at an inbox is modelled by an owner that may do nothing. What
 * belongs to one thread by the argument (free bits, `link`) is used in the same step as the
 * neighbouring atomic, and each use asserts that it is that thread's.
 *
 * The heap of orphans is one more heap: whoever holds its lock drains it, and what is posted to it
 * is drained by the sender, or by the holder who looks again after giving the lock. In C the sender
 * drains it later, at its next flush, or another thread's visit does: a drain may come at any time
 * after the push here too, and what it does not depend on is who runs it.
 *
 * A slab has up to four blocks, two in each of two words: block b is bit b, of word b / 2. Owners
 * are threads with a heap of their own; one that goes on after it has ended stands for the next
 * thread, which got the heap again. Ghosts: `held` says whose each slab's `link` is; `home` and
 * `hand` say where each block is when it is not a remote bit.
 *
 * Asserted at each step: one holder of `link`; pending = 1 exactly while there is a holder (a
 * thread, one inbox, or release); an inbox holds what it was given and nothing else; free bits are
 * touched by the owner alone, an orphan's by the holder of the lock; a post goes to a slab that is
 * bound and finds no bit set; release finds every block home. At the end, when all threads sleep:
 * every inbox is its slabs' owner's, pending is set for what is in an inbox and nothing else, one
 * more drain brings all blocks home, and nothing waits in the orphans' inbox: their blocks are home,
 * and those that are wholly free are released.
 *
 * Sizes come from -D: SLABS (1..2), HEAPS (1..2), HANDps (blocks of slab s with sender p at first),
 * and how often an owner may end (EXITS), make a slab of a released header (BINDS) or hand a free
 * block to sender 2 (GIVES). FAULT_* plants a fault; the model without it must find an error.
 */
#define NIL    3 /* no slab */
#define NOBODY 0 /* no heap; no holder */

#define ORPHANS (HEAPS + 1) /* the heap of orphans */

#define IN(heap)  (8 + heap) /* held by this heap's inbox */
#define RELEASED  15         /* held by the header's release */
#define SENDER(p) (p)
#define OWNER(h)  (4 + h)

#define WORD_BITS(w) (3 << (2 * (w)))

/* The atomics. */
byte owner[SLABS];
byte summary[SLABS];
bit pending[SLABS];
byte remote[SLABS]; /* both words; only one is touched at a time */
byte inbox[HEAPS + 2];

/* Plain fields. */
byte link[SLABS];
byte words[SLABS];
byte whole[SLABS];  /* all blocks of the slab */
byte home[SLABS];  /* free bits */
bit locked; /* the orphans' lock */
bit header[SLABS]; /* released, on the list of headers: under its lock */
bit bound[SLABS];

/* Ghosts and bounds. */
byte held[SLABS];
byte hand[SLABS * 3]; /* SLABS * sender + slab */
byte exits = EXITS;
byte binds = BINDS;
byte gives = GIVES;
byte asleep;

#define HAND(p, s) hand[SLABS * (p) + (s)]

/* pending: 0 -> 1 ? The holder changes in the same step. */
inline exchange_pending(s, was, who) {
#ifdef FAULT_FLAG_NOT_ATOMIC
    was = pending[s];
    d_step {
        pending[s] = 1;
        if
        :: was == 0 -> assert(held[s] == NOBODY); held[s] = who
        :: else
        fi
    }
#else
    d_step {
        was = pending[s];
        pending[s] = 1;
        assert((was == 0) == (held[s] == NOBODY));
        if
        :: was == 0 -> held[s] = who
        :: else
        fi
    }
#endif
}

inline clear_pending(s, who) {
    d_step {
        assert(held[s] == who && pending[s] == 1);
        held[s] = NOBODY;
        pending[s] = 0
    }
}

/* The whole inbox; its slabs are in the taker's hands, linked in front of `rest`, which is too. */
inline take_inbox(h, chain, rest) {
    d_step {
        first = inbox[h];
        inbox[h] = NIL;
        at = first;
        do
        :: at == NIL -> break
        :: else ->
            assert(held[at] == IN(h) && pending[at] == 1);
            held[at] = me;
            last = at;
            at = link[at]
        od;
        assert(held[0] != IN(h) && held[SLABS - 1] != IN(h));
        if
        :: last == NIL -> chain = rest
        :: else -> link[last] = rest; chain = first
        fi;
        first = NIL;
        at = NIL;
        last = NIL
    }
}

inline push(h, s) {
    d_step {
        assert(held[s] == me);
        head = inbox[h];
        link[s] = head
    };
    do
    :: d_step { inbox[h] == head -> inbox[h] = s; held[s] = IN(h); head = NIL }; break
    :: d_step { inbox[h] != head -> assert(held[s] == me); head = inbox[h]; link[s] = head }
    od
}

/* hak_remote_notify: `list` is in our hands. */
inline notify() {
    do
    :: list == NIL -> break
    :: else ->
        d_step {
            slab = list;
            assert(held[slab] == me);
            list = link[slab];
            heap = owner[slab]
        };
        assert(heap != NOBODY);
        push(heap, slab);
#ifndef FAULT_NO_RECHECK
        if
        :: owner[slab] == heap
        :: else -> take_inbox(heap, list, list)
        fi;
#endif
        atomic { slab = NIL; heap = NOBODY; was = 0 }
    od
}

/* The tail of adopt and drain. A wholly free slab is kept as the fresh one, or goes; an orphan goes.
 */
inline settle(hh, s) {
    if
    :: hh != ORPHANS || home[s] != whole[s]
#ifdef FAULT_RELEASE_NOT_FREE
    :: true ->
#else
    :: home[s] == whole[s] ->
#endif
        empty_out(s)
    fi
}

inline empty_out(s) {
#ifdef FAULT_RELEASE_UNHELD
    was = 0;
#else
    exchange_pending(s, was, RELEASED);
#endif
    if
    :: was == 0 ->
        assert(home[s] == whole[s] && remote[s] == 0);
        owner[s] = NOBODY;
        d_step { bound[s] = 0; home[s] = 0; whole[s] = 0; header[s] = 1 }
    :: else -> was = 0
    fi
}

/* D3 and D4; a bit for a word that does not exist is skipped. */
inline collect(hh, s) {
    d_step { sum = summary[s]; summary[s] = 0 };
    cw = 0;
    do
    :: cw >= words[s] -> break
    :: else ->
        if
        :: (sum & (1 << cw)) == 0 -> cw++
        :: else ->
            d_step {
                assert(owner[s] == hh);
                assert(hh != ORPHANS || holds);
                assert((home[s] & remote[s] & WORD_BITS(cw)) == 0);
                home[s] = home[s] | (remote[s] & WORD_BITS(cw));
                remote[s] = remote[s] & ~WORD_BITS(cw);
                cw++
            }
        fi
    od;
    atomic { cw = 0; sum = 0 }
}

/* Of this thread's heap, or of the orphans'. */
inline drain(hh) {
    take_inbox(hh, chain, NIL);
    do
    :: chain == NIL -> break
    :: else ->
        d_step {
            ds = chain;
            assert(held[ds] == me);
            chain = link[ds];
            mine = owner[ds] == hh
        };
        if
#ifdef FAULT_DRAIN_FOREIGN
        :: true ->
#else
        :: !mine -> d_step { link[ds] = list; list = ds }
        :: else ->
#endif
#ifdef FAULT_CLEAR_AFTER_SUMMARY
            collect(hh, ds);
            clear_pending(ds, me);
            settle(hh, ds)
#else
            clear_pending(ds, me);
#ifdef FAULT_LINK_AFTER_CLEAR
            d_step { assert(held[ds] == me); chain = link[ds] };
#endif
            collect(hh, ds);
            settle(hh, ds)
#endif
        fi;
        atomic { ds = 0; mine = 0 }
    od;
    notify()
}

inline take_lock() {
    d_step { locked == 0 -> locked = 1; holds = 1 }
}

inline give_lock() {
    d_step { assert(locked && holds); locked = 0; holds = 0 }
}

/* hak_heap_drain_orphans */
inline drain_orphans() {
    do
    :: inbox[ORPHANS] == NIL -> break
    :: else ->
#ifdef FAULT_ORPHANS_WITHOUT_LOCK
        holds = 1;
#else
        if
        :: d_step { locked == 0 -> locked = 1; holds = 1 }
        :: d_step { locked == 1 -> skip } -> break
        fi;
#endif
        drain(ORPHANS);
#ifdef FAULT_ORPHANS_WITHOUT_LOCK
        holds = 0;
#else
        give_lock();
#endif
#ifdef FAULT_NO_LOOK_AFTER_LOCK
        break
#endif
    od
}

/* S1: the blocks change from our hand to the bitmap. */
inline post_bits() {
    d_step {
        assert(bound[s] && w < words[s] && (remote[s] & bits) == 0);
        remote[s] = remote[s] | bits;
        HAND(p, s) = HAND(p, s) & ~bits
    }
}

/* S2, or a load that finds it done. */
inline post_summary() {
    if
    :: (summary[s] & (1 << w)) != 0
    :: else -> summary[s] = summary[s] | (1 << w)
    fi
}

/* S3 and S4. */
inline post_flag() {
    if
    :: pending[s] == 1
    :: else ->
        exchange_pending(s, was, me);
        if
        :: was == 0 ->
            d_step { assert(held[s] == me); link[s] = NIL; list = s };
            notify();
            drain_orphans()
        :: else -> was = 0
        fi
    fi
}

#define MAY_POST(q, z, v) ((HAND(p, z) & WORD_BITS(v)) != 0) -> s = z; w = v

proctype Sender(byte p) {
    byte me = SENDER(p);
    byte s, w, bits, ds, cw, sum;
    byte list = NIL, slab = NIL, heap, head = NIL, at = NIL, first = NIL, last = NIL, chain = NIL;
    byte was;
    bit mine, holds;
end:
    do
    :: atomic {
        if
        :: MAY_POST(p, 0, 0)
        :: MAY_POST(p, 0, 1)
#if SLABS > 1
        :: MAY_POST(p, 1, 0)
        :: MAY_POST(p, 1, 1)
#endif
        fi;
        bits = HAND(p, s) & WORD_BITS(w)
    };
#ifdef FAULT_SUMMARY_FIRST
        post_summary();
        post_bits();
        post_flag();
#else
        post_bits();
#ifdef FAULT_FLAG_BEFORE_SUMMARY
        post_flag();
        post_summary();
#else
        post_summary();
        post_flag();
#endif
#endif
        atomic { s = 0; w = 0; bits = 0 }
    od
}

/* hak_heap_orphan_all without its first drain, which is the loop's. */
inline orphan_all() {
#ifdef FAULT_INBOX_BEFORE_ORPHANS
    take_inbox(h, list, NIL);
#endif
    s = 0;
    do
    :: s == SLABS -> break
    :: else ->
        if
        :: owner[s] == h -> settle(h, s)
        :: else
        fi;
        if
        :: owner[s] == h ->
            take_lock();
            owner[s] = ORPHANS;
            collect(ORPHANS, s);
            settle(ORPHANS, s);
            give_lock()
        :: else
        fi;
        s++
    od;
    s = 0;
#ifndef FAULT_INBOX_BEFORE_ORPHANS
    take_inbox(h, list, NIL);
#endif
    notify();
    drain_orphans()
}

/* The lock is held: hak_heap_adopt. */
inline adopt() {
    drain(ORPHANS);
    if
    :: owner[s] == ORPHANS ->
        owner[s] = h;
        give_lock();
        collect(h, s);
        settle(h, s)
    :: else -> give_lock() /* released by the drain */
    fi;
    s = 0;
    drain_orphans()
}

#define MAY_ADOPT(z) locked == 0 && owner[z] == ORPHANS -> locked = 1; holds = 1; s = z

#define MAY_BIND(z) binds > 0 && header[z] -> header[z] = 0; binds--; s = z

/* A slab of one word and one block, so that marks of the second word are for none of its words. */
inline bind() {
    d_step { bound[s] = 1; words[s] = 1; whole[s] = 1; home[s] = 1; remote[s] = 0 };
    summary[s] = 0;
    owner[s] = h;
#ifdef FAULT_RELEASE_UNHELD
    pending[s] = 0;
#else
    clear_pending(s, RELEASED);
#endif
    s = 0
}

/* The lowest free block goes to a thread that will free it: sender 2. */
#define LOWEST(bits) ((bits) & -(bits))
#define MAY_GIVE(z)                                                                                \
    gives > 0 && owner[z] == h && home[z] != 0 ->                                                  \
        gives--; HAND(2, z) = HAND(2, z) | LOWEST(home[z]); home[z] = home[z] & ~LOWEST(home[z])

#define MAY_END exits > 0 && (owner[0] == h || owner[SLABS - 1] == h) -> exits--

proctype Owner(byte h) {
    byte me = OWNER(h);
    byte s, ds, cw, sum;
    byte list = NIL, slab = NIL, heap, head = NIL, at = NIL, first = NIL, last = NIL, chain = NIL;
    byte was;
    bit mine, holds;
    do
    :: inbox[h] != NIL -> drain(h); drain_orphans()
    :: atomic { MAY_END }; orphan_all()
    :: atomic { MAY_ADOPT(0) }; adopt()
    :: atomic { MAY_BIND(0) }; bind()
    :: d_step { MAY_GIVE(0) }
#if SLABS > 1
    :: atomic { MAY_ADOPT(1) }; adopt()
    :: atomic { MAY_BIND(1) }; bind()
    :: d_step { MAY_GIVE(1) }
#endif
    :: asleep++; break
    od
}

/* When nobody moves any more. */
inline check_end() {
    h = 1;
    do
    :: h > HEAPS -> break
    :: else ->
        s = inbox[h];
        do
        :: s == NIL -> break
        :: else ->
            assert(held[s] == IN(h) && owner[s] == h && pending[s] == 1);
            found[s] = 1;
            s = link[s]
        od;
        h++
    od;
    s = 0;
    do
    :: s == SLABS -> break
    :: bound[s] ->
        assert(pending[s] == found[s] && (found[s] || held[s] == NOBODY));
        assert(owner[s] != NOBODY);
        assert(owner[s] != ORPHANS || (remote[s] == 0 && home[s] != whole[s]) || whole[s] == 0);
        if
        :: found[s] ->
            home[s] = home[s] | (remote[s] & WORD_BITS(0) & ((summary[s] & 1) * 255));
            home[s] = home[s] | (remote[s] & WORD_BITS(1) & ((summary[s] >> 1) * 255))
        :: else
        fi;
        assert(home[s] == whole[s] || owner[s] == ORPHANS);
        s++
    :: else ->
#ifndef FAULT_RELEASE_UNHELD
        assert(header[s] && !found[s] && pending[s] == 1 && held[s] == RELEASED);
#endif
        s++
    od
}

init {
    byte s, h;
    bit found[SLABS];
    d_step {
        inbox[1] = NIL;
        inbox[HEAPS] = NIL;
        inbox[ORPHANS] = NIL;
        do
        :: s == SLABS -> break
        :: else ->
            owner[s] = 1;
            bound[s] = 1;
            words[s] = 2;
            link[s] = NIL;
            s++
        od;
        HAND(1, 0) = HAND10;
        HAND(2, 0) = HAND20;
        whole[0] = HAND10 | HAND20;
#if SLABS > 1
        HAND(1, 1) = HAND11;
        HAND(2, 1) = HAND21;
        whole[1] = HAND11 | HAND21;
#endif
        s = 0
    };
    atomic {
        run Sender(1);
        run Sender(2);
        run Owner(1);
#if HEAPS > 1
        run Owner(2);
#endif
    };
    timeout -> d_step { assert(asleep == HEAPS && !locked && inbox[ORPHANS] == NIL); check_end() }
}
