/*
 * Slabs: slots of one size, claimed and returned by any lanes of any kernel.
 *
 * To take slots is to reserve them first, by subtracting from the free slots in the chunk's state, and then
 * to find as many bits that are clear, and set them. A reservation guarantees that they are there or about to
 * be: to return a slot is to clear its bit first and to add to the free slots after that. So a thread that
 * has reserved goes round the slab's bits until it has what it was promised, and each further round is due to
 * another thread's success.
 *
 * The reservation is also what makes an empty slab safe to take away: its state is swapped for that of a free
 * chunk only if all slots are free and nothing has changed since that was seen. Who reserves in a chunk that
 * is no longer what he took it for sees that in the same word, and gives the reservation back; until then the
 * swap cannot succeed. This is the trap of slabs that are given back while somebody still claims in them.
 *
 * Whoever brings the free slots from none to some puts the slab into the map of its class; whoever brings
 * them to all gives the chunk back, or, while a cursor points to it, into the map of spare ones. The addition
 * itself says who that is, also where it gives back a reservation that was too large.
 *
 * Lanes that are here together with requests of one class share these steps: one of them reserves for all,
 * with one atomic, and sets a word's bits with another. A thread alone takes three trips to the L2: the
 * cursor, the reservation, the bits. Where slots have been taken in order, the number of free ones tells
 * where the next free bits are, so that no word has to be read before. A warp that needs whole slabs takes
 * chunks and makes them slabs without a free slot, of which nobody else needs to know. The design is that of
 * bitmaps with a semaphore, as in Gallatin (McCoy, Pandey, PPoPP 2024) and ScatterAlloc (Steinberger et al.,
 * InPar 2012); what differs is that the semaphore, the class and the generation are one word.
 *
 * Memory. What a block's last owner wrote is seen, or overwritten, by its next one: dev_and_release() when it
 * is returned, and the next owner's accesses depend, through their address, on the atomic that claimed it.
 * The other atomics are ordered by what depends on them (device.h), but for the creation of a slab that has
 * free slots: its bits are written before its state, by a release.
 */
#ifndef GROSR_SLAB_H
#define GROSR_SLAB_H

#include "chunk_map.h"
#include "heap_event.h"

#define GROSR_SEEK_ROUNDS  4u
#define GROSR_SEEK_POLLS   16u
#define GROSR_SEEK_QUICKLY 2u

/* Slots for a request, or for what is left of it: reserved in a slab, and whole new slabs. */
struct grosr_claim {
    uint32_t chunk, reserved;
    uint32_t at;         /* the slot from which on to look */
    bool is_new;         /* they are slots at, at + 1, ..., and their bits are set already */
    uint64_t new_chunks; /* of which all slots are reserved: bits of a word of a map */
    uint32_t new_word;
};

/* What is common to the steps of a request. */
struct grosr_seeker {
    uint32_t size_class, slots;
    uint32_t spread; /* dev_spread() */
    dev32 *cursor;
};

GROSR_DEVICE struct grosr_seeker grosr_seeker_of(const struct grosr_heap *h, uint32_t size_class)
{
    struct grosr_seeker s;
    s.size_class = size_class;
    s.slots = h->slots[size_class];
    s.spread = dev_spread();
    s.cursor = &h->cursor[size_class * h->cursors + (s.spread & (h->cursors - 1))];
    return s;
}

/* ---- a chunk changes ---- */

GROSR_DEVICE dev64 *grosr_heap_dry_of(const struct grosr_heap *h, uint32_t spread)
{
    return &h->common->dry[spread % GROSR_HEAP_DRY].classes;
}

/*
 * The classes that are dry have a bit each, so that requests of one need not search in vain again and again.
 * As in chunk_map.h: who has found nothing sets the bit, and then searches once more; who puts something
 * where it is found looks at the bits after that.
 *
 * All copies are to be the same where nobody changes them. Where one thread sets them while another one
 * clears them, in the same order: who clears them does so until he has found all of them clear; who has set
 * them and has found nothing looks at all of them once more, and clears them if he finds one clear. So either
 * the one who clears them comes to what was set behind him, or the other one sees what was cleared behind
 * him.
 */
GROSR_DEVICE_COLD void grosr_heap_clear_dry(const struct grosr_heap *h, uint64_t bits)
{
    uint64_t set;

    do {
        set = 0;
        for (uint32_t i = 0; i < GROSR_HEAP_DRY; i++)
            set |= dev_and_dependent(grosr_heap_dry_of(h, i), ~bits);
    } while (set & bits);
}

/* There is something of a class again, or of all (GROSR_CLASSES): it is in a map, or a cursor points to it.
 * `last`: from the atomic that made it so. One copy of the bits is as good as another; that it depends on
 * `last` which one is looked at makes the look come after. */
GROSR_DEVICE void grosr_heap_refilled(const struct grosr_heap *h, uint32_t size_class, uint64_t last)
{
    uint64_t bits = size_class == GROSR_CLASSES ? ~UINT64_C(0) : UINT64_C(1) << size_class;

    if (dev_load_relaxed(grosr_heap_dry_of(h, dev_spread() + (uint32_t)last)) & bits)
        grosr_heap_clear_dry(h, bits);
}

/* Puts a chunk into a map. */
GROSR_DEVICE void grosr_chunk_put(const struct grosr_heap *h, uint32_t to, uint32_t chunk)
{
    struct grosr_chunk_map map = grosr_map(h, to);
    uint64_t last;

    if (grosr_map_put(&map, chunk, &last))
        grosr_heap_refilled(h, to >= GROSR_MAP_CLASS ? to - GROSR_MAP_CLASS : GROSR_CLASSES, last);
}

/* Takes an empty slab away from its class; `state` is how it was seen. The chunk is the caller's if true. One
 * that was full before it was empty is not in the map of its class. */
GROSR_DEVICE bool grosr_slab_take_away(struct grosr_heap_user u, uint32_t chunk, uint64_t state,
                                       bool was_full)
{
    const struct grosr_heap *h = u.heap;
    uint32_t size_class = grosr_chunk_kind(state) - 1;
    uint64_t free_chunk =
        (state & GROSR_CHUNK_CURSORS * GROSR_CHUNK_CURSOR) | ((state + 1) & GROSR_CHUNK_GENERATIONS);
    uint64_t bit = UINT64_C(1) << chunk % 64;

    dev_point("slab.take_away");
    if (dev_cas_dependent(&h->state[chunk], state, free_chunk) != state)
        return false;
    struct grosr_chunk_map map = grosr_map(h, GROSR_MAP_CLASS + size_class);
    if (!was_full && dev_load_relaxed(&map.word[chunk / 64]) & bit)
        grosr_map_claim(&map, chunk / 64, bit);
    grosr_heap_note_slab(u, GROSR_EV_SLAB_RELEASE, size_class, chunk);
    return true;
}

/* A slab's state has become `now`, by adding: it is whole, or it has free slots and had none, or both. */
GROSR_DEVICE_COLD void grosr_slab_changed(struct grosr_heap_user u, uint32_t chunk, uint64_t now, bool whole,
                                          bool had_none)
{
    uint32_t to = whole ? (uint32_t)GROSR_MAP_SPARE : GROSR_MAP_CLASS + grosr_chunk_kind(now) - 1;

    if (whole && grosr_chunk_cursors(now) == 0) {
        /* If not, somebody has reserved in it. That it is whole again is for the one who makes it so; that it
         * has free slots is still to be told. */
        if (grosr_slab_take_away(u, chunk, now, had_none))
            to = GROSR_MAP_FREE;
        else
            to = GROSR_MAP_CLASS + grosr_chunk_kind(now) - 1;
    }
    grosr_chunk_put(u.heap, to, chunk);
    if (to == GROSR_MAP_SPARE && had_none)
        grosr_chunk_put(u.heap, GROSR_MAP_CLASS + grosr_chunk_kind(now) - 1, chunk);
}

/* A chunk's state was `old`, and became `now` by an addition: does what is to be done about that. */
GROSR_DEVICE void grosr_chunk_added(struct grosr_heap_user u, uint32_t chunk, uint64_t old, uint64_t now)
{
    if (!grosr_chunk_is_slab(now))
        return;
    bool whole = grosr_chunk_free_slots(now) == u.heap->slots[grosr_chunk_kind(now) - 1];
    bool had_none = grosr_chunk_free_slots(old) <= 0 && grosr_chunk_free_slots(now) > 0;
    if (whole || had_none)
        grosr_slab_changed(u, chunk, now, whole, had_none);
}

/* Adds to a chunk's state. Returns what it was. */
GROSR_DEVICE uint64_t grosr_chunk_add(struct grosr_heap_user u, uint32_t chunk, uint64_t x)
{
    uint64_t old = dev_add_dependent(&u.heap->state[chunk], x);

    grosr_chunk_added(u, chunk, old, old + x);
    return old;
}

/* Returns slots to a slab, or what was reserved too much. */
GROSR_DEVICE uint64_t grosr_slab_give(struct grosr_heap_user u, uint32_t chunk, uint32_t n)
{
    return grosr_chunk_add(u, chunk, grosr_chunk_slots(n));
}

/* ---- new slabs ---- */

/* Up to `max` chunks for the caller alone: free ones, or a spare slab's. Returns them as bits of a word of
 * the maps; 0: there is none. */
GROSR_DEVICE uint64_t grosr_chunk_obtain(struct grosr_heap_user u, uint32_t spread, uint32_t max,
                                         uint32_t rounds, uint32_t *w)
{
    const struct grosr_heap *h = u.heap;
    struct grosr_chunk_map map = grosr_map(h, GROSR_MAP_FREE);
    dev32 *hint = &h->chunk_hint[spread & (h->cursors - 1)];
    uint32_t hinted = dev_load_relaxed(hint);
    uint64_t bits = hinted ? grosr_map_take_of(&map, hinted - 1, spread / 64, max) : 0;

    /* Most find their chunks here: at the words of the upper levels, all would meet. */
    *w = hinted - 1;
    if (bits)
        return bits;
    bits = grosr_map_take(&map, spread, max, rounds, w);
    if (bits) {
        dev_store_relaxed(hint, *w + 1);
        return bits;
    }
    map = grosr_map(h, GROSR_MAP_SPARE);
    while ((bits = grosr_map_take(&map, spread, 1, rounds, w))) {
        uint32_t chunk = *w * 64 + dev_ffs64(bits) - 1;
        uint64_t state = dev_load_relaxed(&h->state[chunk]);
        if (grosr_chunk_is_slab(state) &&
            grosr_chunk_free_slots(state) == h->slots[grosr_chunk_kind(state) - 1] &&
            grosr_slab_take_away(u, chunk, state, false))
            break;
    }
    return bits;
}

/* Writes the bits of a slab whose first `taken` slots are allocated. */
GROSR_DEVICE void grosr_slab_write_bits(const struct grosr_heap *h, uint32_t chunk, uint32_t slots,
                                        uint32_t taken)
{
    dev64 *bits = grosr_chunk_bits(h, chunk);

    for (uint32_t at = 0; at < slots; at += 64) {
        uint64_t word = slots - at < 64 ? ~grosr_bits_below(slots - at) : 0; /* behind the last slot */
        if (taken > at)
            word |= grosr_bits_below(taken - at);
        dev_store_relaxed(&bits[at / 64], word);
    }
}

/* Makes this warp's cursor, seen as `seen`, point to a slab, which has counted it already. */
GROSR_DEVICE void grosr_cursor_install(struct grosr_heap_user u, const struct grosr_seeker *s, uint32_t seen,
                                       uint32_t chunk)
{
    const struct grosr_heap *h = u.heap;
    uint32_t index = (uint32_t)(s->cursor - &h->cursor[s->size_class * h->cursors]), left = seen;
    dev64 *open = &h->open[s->size_class * (GROSR_CURSORS_MAX / 64) + index / 64];
    uint64_t bit = UINT64_C(1) << index % 64;

    dev_point("cursor.install");
    if (dev_cas_dependent(s->cursor, seen, chunk + 1) == seen) {
        uint64_t last = dev_load_relaxed(open);
        if (!(last & bit))
            last = dev_or_dependent(open, bit);
        grosr_heap_refilled(h, s->size_class, last);
    } else {
        left = chunk + 1; /* another thread was faster: the slab is for whoever finds it */
    }
    if (!left)
        return;
    /* What is left may have free slots, also a slab that had none when it was seen: the cursor may have come
     * back to it since. */
    uint64_t was = grosr_chunk_add(u, left - 1, ~GROSR_CHUNK_CURSOR + 1);
    if (grosr_chunk_is_slab(was) && grosr_chunk_free_slots(was) > 0 &&
        grosr_chunk_free_slots(was) < h->slots[grosr_chunk_kind(was) - 1])
        grosr_chunk_put(h, GROSR_MAP_CLASS + grosr_chunk_kind(was) - 1, left - 1);
}

/* New slabs, for n slots. False: there are no chunks, or none was found in so many rounds. */
GROSR_DEVICE_COLD bool grosr_slab_make(struct grosr_heap_user u, struct grosr_seeker s, uint32_t seen,
                                       uint32_t n, uint32_t rounds, struct grosr_claim *claim)
{
    const struct grosr_heap *h = u.heap;
    uint32_t w = 0, full = n / s.slots;
    uint64_t bits = grosr_chunk_obtain(u, s.spread, full > 1 ? full : 1, rounds, &w), kind;

    if (!bits)
        return false;
    kind = grosr_chunk_of_class(s.size_class + 1);
    claim->at = 0;
    claim->is_new = true;
    if (full) {
        /* Nobody but the owners of their blocks reaches them before a block is returned. But that may be
         * soon, and elsewhere: the bits and the state must be there before any of the blocks is handed out.
         */
        claim->new_chunks = bits;
        claim->new_word = w;
        for (uint64_t left = bits; left; left &= left - 1)
            grosr_slab_write_bits(h, w * 64 + dev_ffs64(left) - 1, s.slots, s.slots);
        bool were_free = true;
        for (uint64_t left = bits; left; left &= left - 1) {
            uint32_t chunk = w * 64 + dev_ffs64(left) - 1;
            dev_point("slab.create_full");
            /* Release: the bits. Pairs with grosr_slab_reserve(), by what depends on its addition. */
            were_free &= grosr_chunk_kind(dev_add_release(&h->state[chunk], kind)) == 0;
            grosr_heap_note_slab(u, GROSR_EV_SLAB_ACQUIRE, s.size_class, chunk);
        }
        return were_free; /* which they are; and the blocks depend on it */
    }
    claim->chunk = w * 64 + dev_ffs64(bits) - 1;
    claim->reserved = n;
    grosr_slab_write_bits(h, claim->chunk, s.slots, n);
    dev_point("slab.create");
    /* Release: the bits. Pairs with grosr_slab_reserve(), by what depends on its addition. */
    uint64_t old = dev_add_release(&h->state[claim->chunk],
                                   kind + grosr_chunk_slots((int64_t)s.slots - n) + GROSR_CHUNK_CURSOR);
    grosr_heap_note_slab(u, GROSR_EV_SLAB_ACQUIRE, s.size_class, claim->chunk);
    /* The cursor follows the state: it depends on what that was. */
    if (grosr_chunk_kind(old) == 0)
        grosr_cursor_install(u, &s, seen, claim->chunk);
    return true;
}

/* ---- taking slots ---- */

/* A reservation of n slots of the class has found `old` in a chunk's state: what it has got. Gives the rest
 * back. */
GROSR_DEVICE void grosr_slab_settle(struct grosr_heap_user u, const struct grosr_seeker *s, uint32_t chunk,
                                    uint64_t old, uint32_t n, struct grosr_claim *claim)
{
    int64_t free_slots = grosr_chunk_free_slots(old);

    if (grosr_chunk_kind(old) != s->size_class + 1 || free_slots < 0)
        free_slots = 0;
    claim->chunk = chunk;
    claim->reserved = free_slots < n ? (uint32_t)free_slots : n;
    claim->at = s->slots - (uint32_t)free_slots;
    claim->is_new = false;
    dev_point("slab.reserved");
    if (claim->reserved < n)
        grosr_slab_give(u, chunk, n - claim->reserved);
}

/* Reserves up to n slots in what may be a slab of the class. Whether there were any; *more: some are left. */
GROSR_DEVICE bool grosr_slab_reserve(struct grosr_heap_user u, const struct grosr_seeker *s, uint32_t chunk,
                                     uint32_t n, struct grosr_claim *claim, bool *more)
{
    uint64_t old = dev_add_dependent(&u.heap->state[chunk], grosr_chunk_slots(-(int64_t)n));

    grosr_slab_settle(u, s, chunk, old, n, claim);
    *more = grosr_chunk_free_slots(old) > n;
    return claim->reserved > 0;
}

/* Slots from where other warps' cursors point. */
GROSR_DEVICE_COLD bool grosr_slab_borrow(struct grosr_heap_user u, struct grosr_seeker s, uint32_t n,
                                         struct grosr_claim *claim)
{
    const struct grosr_heap *h = u.heap;
    dev32 *cursor = &h->cursor[s.size_class * h->cursors];
    dev64 *open = &h->open[s.size_class * (GROSR_CURSORS_MAX / 64)];
    bool more;

    for (uint32_t w = 0; w * 64 < h->cursors; w++) {
        uint64_t bits = dev_load_relaxed(&open[w]);
        for (; bits; bits &= bits - 1) {
            uint32_t index = w * 64 + dev_ffs64(bits) - 1, at = dev_load_relaxed(&cursor[index]), now;
            uint64_t bit = bits & ~(bits - 1), state = 0;
            for (;; at = now) {
                if (at && grosr_slab_reserve(u, &s, at - 1, n, claim, &more))
                    return true;
                dev_and_dependent(&open[w], ~bit);
                /* As in chunk_map.h: looked at once more, also at the slab, to which the cursor may have come
                 * back. Release: after the clearing. Pairs with grosr_cursor_install(), by what depends on
                 * its swap. */
                now = dev_add_acq_rel(&cursor[index], 0u);
                if (now)
                    state = dev_load_relaxed(&h->state[now - 1]);
                if (now == at && (!now || grosr_chunk_kind(state) != s.size_class + 1 ||
                                  grosr_chunk_free_slots(state) <= 0))
                    break;
                dev_or_dependent(&open[w], bit);
            }
        }
    }
    return false;
}

/* Slots from a slab in the map of the class. False: there are none, or none was found in so many rounds. */
GROSR_DEVICE_COLD bool grosr_slab_find(struct grosr_heap_user u, struct grosr_seeker s, uint32_t seen,
                                       uint32_t n, uint32_t rounds, struct grosr_claim *claim)
{
    struct grosr_chunk_map map = grosr_map(u.heap, GROSR_MAP_CLASS + s.size_class);
    uint64_t bit;
    uint32_t w;
    bool more;

    while ((bit = grosr_map_take(&map, s.spread, 1, rounds, &w))) {
        uint32_t chunk = w * 64 + dev_ffs64(bit) - 1;
        if (!grosr_slab_reserve(u, &s, chunk, n, claim, &more))
            continue;
        if (more) {
            grosr_chunk_add(u, chunk, GROSR_CHUNK_CURSOR);
            grosr_cursor_install(u, &s, seen, chunk);
        }
        return true;
    }
    return false;
}

GROSR_DEVICE_COLD bool grosr_slab_search_surely(struct grosr_heap_user u, struct grosr_seeker s,
                                                uint32_t seen, uint32_t n, struct grosr_claim *claim)
{
    return grosr_slab_find(u, s, seen, n, GROSR_MAP_SURELY, claim) ||
           grosr_slab_make(u, s, seen, n, GROSR_MAP_SURELY, claim) || grosr_slab_borrow(u, s, n, claim);
}

/*
 * Slots from anywhere but the cursor, which was seen as `seen`. At first without certainty: where many warps
 * need slabs at once, it is quicker to make one than to meet all others at the last one in the map. False:
 * there are none. That is known before, if the class is dry; and it is dry only if two searches have found
 * nothing, the second one after that was made known.
 */
GROSR_DEVICE bool grosr_slab_search(struct grosr_heap_user u, const struct grosr_seeker *s, uint32_t seen,
                                    uint32_t n, struct grosr_claim *claim)
{
    const uint64_t bit = UINT64_C(1) << s->size_class;

    if (dev_load_relaxed(grosr_heap_dry_of(u.heap, s->spread)) & bit)
        return false;
    if (grosr_slab_find(u, *s, seen, n, GROSR_SEEK_QUICKLY, claim) ||
        grosr_slab_make(u, *s, seen, n, GROSR_SEEK_QUICKLY, claim) ||
        grosr_slab_search_surely(u, *s, seen, n, claim))
        return true;
    uint64_t all = 0;
    for (uint32_t i = 0; i < GROSR_HEAP_DRY; i++)
        all |= dev_or_dependent(grosr_heap_dry_of(u.heap, i), bit);
    /* It depends on all of them. */
    bool found = all != UINT64_MAX && grosr_slab_search_surely(u, *s, seen, n, claim);
    all = bit;
    for (uint32_t i = 0; i < GROSR_HEAP_DRY && !found; i++)
        all &= dev_load_relaxed(grosr_heap_dry_of(u.heap, i));
    if (found || !all)
        grosr_heap_clear_dry(u.heap, bit);
    return found;
}

/*
 * Reserves up to n slots of the class somewhere. False: there are none.
 *
 * Where the cursor's slab has just run out, one of those who see that replaces it: the one whose reservation
 * brought the free slots below zero, and which it gives back only afterwards. The others wait for that for a
 * moment, and no longer: what they wait for is the quicker way, and not the only one.
 */
GROSR_DEVICE_COLD bool grosr_slab_seek(struct grosr_heap_user u, struct grosr_seeker s, uint32_t n,
                                       struct grosr_claim *claim)
{
    uint32_t seen = dev_load_relaxed(s.cursor), now;
    bool found;

    for (uint32_t round = 0; seen && round < GROSR_SEEK_ROUNDS; round++) {
        uint64_t old = dev_add_dependent(&u.heap->state[seen - 1], grosr_chunk_slots(-(int64_t)n));
        bool same = grosr_chunk_kind(old) == s.size_class + 1;
        if (same && grosr_chunk_free_slots(old) == 0) {
            found = grosr_slab_search(u, &s, seen, n, claim);
            old = grosr_slab_give(u, seen - 1, n);
            /* What was reserved here in vain may have hidden slots, from this thread too. */
            if (found || grosr_chunk_kind(old) != s.size_class + 1 || grosr_chunk_free_slots(old) + n <= 0)
                return found;
            continue;
        }
        grosr_slab_settle(u, &s, seen - 1, old, n, claim);
        if (claim->reserved)
            return true;
        now = seen;
        for (uint32_t i = 0; same && i < GROSR_SEEK_POLLS && now == seen; i++)
            now = dev_load_relaxed(s.cursor);
        if (now == seen)
            break;
        seen = now;
    }
    return grosr_slab_search(u, &s, seen, n, claim);
}

/* Sets the bits of one word for slots of the claim, at least one. Returns them, and the word's index in
 * `bits` as *at. */
GROSR_DEVICE uint64_t grosr_slab_claim_bits(struct grosr_heap_user u, const struct grosr_seeker *s,
                                            struct grosr_claim *claim, uint32_t *at)
{
    uint32_t words = (s->slots + 63) / 64;

    if (!claim->reserved) { /* the next new slab, whole */
        claim->chunk = claim->new_word * 64 + dev_ffs64(claim->new_chunks) - 1;
        claim->new_chunks &= claim->new_chunks - 1;
        claim->reserved = s->slots;
        claim->at = 0;
    }
    uint32_t first = claim->chunk * GROSR_CHUNK_WORDS; /* word of `bits` */
    uint32_t w = claim->at / 64, from = claim->at % 64, room = 64 - from;
    uint32_t n = claim->reserved < room ? claim->reserved : room;
    uint64_t wish = grosr_bits_below(n) << from, got;

    if (claim->is_new) {
        got = wish;
    } else {
        for (;;) {
            dev64 *word = &u.heap->bits[first + w];
            uint64_t old = wish ? dev_or_dependent(&u.heap->bits[first + w], wish) : dev_load_relaxed(word);
            got = wish & ~old;
            if (got)
                break;
            wish = grosr_bits_lowest(~old, claim->reserved);
            if (!wish) {
                w = w + 1 < words ? w + 1 : 0;
                dev_point("slab.next_word");
            }
        }
    }
    *at = first + w;
    claim->reserved -= dev_popc64(got);
    claim->at = w * 64 + dev_fls64(got);
    if (claim->at >= s->slots)
        claim->at = 0;
    return got;
}

/* ---- returning slots ---- */

/* Slots whose bits `had`, of word `at`, have been cleared were added to the free ones of a chunk that was
 * seen in `state`, and whose state was `was`: what grosr_slab_return() does not do itself. */
GROSR_DEVICE_COLD uint64_t grosr_slab_returned(struct grosr_heap_user u, uint64_t state, uint32_t at,
                                               uint64_t had, uint64_t was)
{
    const struct grosr_heap *h = u.heap;
    const uint64_t same = GROSR_CHUNK_GENERATIONS | grosr_chunk_of_class(GROSR_CHUNK_CLASS_MASK);
    uint64_t slots = grosr_chunk_slots(dev_popc64(had));
    uint32_t chunk = at / GROSR_CHUNK_WORDS;

    grosr_chunk_added(u, chunk, was, was + slots);
    if ((was & same) == (state & same)) {
        dev_count(&grosr_heap_shard_of(h, grosr_chunk_kind(state) - 1, dev_spread())->frees, dev_popc64(had));
        return had;
    }
    /* The chunk is not what it was: the block had been freed before, and these slots are other owners'. */
    dev_add_dependent(&h->state[chunk], ~slots + 1);
    dev_or_dependent(&h->bits[at], had);
    return 0;
}

/*
 * As grosr_slab_returned(), before the addition: these slots are all that the slab lacked when it was seen,
 * and no cursor points to it. Its state is swapped at once for that of a free chunk: as if they had been
 * added, and it had been taken away before anybody saw that.
 */
GROSR_DEVICE_COLD uint64_t grosr_slab_return_last(struct grosr_heap_user u, uint64_t state, uint32_t at,
                                                  uint64_t had)
{
    uint32_t chunk = at / GROSR_CHUNK_WORDS, size_class = grosr_chunk_kind(state) - 1;

    if (!grosr_slab_take_away(u, chunk, state, grosr_chunk_free_slots(state) <= 0)) {
        dev_point("slab.returned");
        uint64_t slots = grosr_chunk_slots(dev_popc64(had));
        return grosr_slab_returned(u, state, at, had, dev_add_dependent(&u.heap->state[chunk], slots));
    }
    grosr_chunk_put(u.heap, GROSR_MAP_FREE, chunk);
    dev_count(&grosr_heap_shard_of(u.heap, size_class, dev_spread())->frees, dev_popc64(had));
    return had;
}

/*
 * Returns the slots of a slab, seen in `state`, whose bits are in `mask`, of word `at` of `bits`. Returns
 * those of them that were allocated; the others change nothing. What is here is all for a slab that had free
 * slots and that is not whole: few registers, for kernels that free in many threads.
 */
GROSR_DEVICE uint64_t grosr_slab_return(struct grosr_heap_user u, uint64_t state, uint32_t at, uint64_t mask)
{
    const struct grosr_heap *h = u.heap;
    uint32_t chunk = at / GROSR_CHUNK_WORDS, size_class = grosr_chunk_kind(state) - 1;
    const uint64_t same = GROSR_CHUNK_GENERATIONS | grosr_chunk_of_class(GROSR_CHUNK_CLASS_MASK);
    /* Release: what the block's owner wrote. Pairs with grosr_slab_claim_bits(), by what depends on it. */
    uint64_t had = dev_and_release(&h->bits[at], ~mask) & mask;
    int64_t n = dev_popc64(had);

    if (!n)
        return 0;
    if (grosr_chunk_cursors(state) == 0 && grosr_chunk_free_slots(state) + n == h->slots[size_class])
        return grosr_slab_return_last(u, state, at, had);
    dev_point("slab.returned");
    uint64_t was = dev_add_dependent(&h->state[chunk], grosr_chunk_slots(n));
    int64_t free_slots = grosr_chunk_free_slots(was);
    if ((was ^ state) & same || free_slots <= 0 || free_slots + n == h->slots[size_class])
        return grosr_slab_returned(u, state, at, had, was);
    dev_count(&grosr_heap_shard_of(h, size_class, dev_spread())->frees, (uint64_t)n);
    return had;
}

#endif
