/*
 * Maps: a bit for each chunk, and above them two levels that tell where bits are set, so that one is found,
 * or none, within a few loads.
 *
 *     level 2   `map_roots` words: a bit for each word of level 1
 *     level 1   a bit for each word of level 0
 *     level 0   a bit for each chunk
 *
 * The upper levels are hints in one direction: where a word has bits, the bit above it is set, or the thread
 * that set the first of them is about to set it. A bit above a word that has none may stay: it is cleared by
 * those who look there. Between a thread that clears it and one that sets the word's first bit: the clearer
 * looks at the word once more, by an atomic, after it has cleared the bit above. If the setter's atomic came
 * before, it sees the bits and sets the bit above again; if after, then the setter's own store above comes
 * after the clearing, since the two atomics are of one word.
 */
#ifndef GROSR_CHUNK_MAP_H
#define GROSR_CHUNK_MAP_H

#include "heap.h"

struct grosr_chunk_map {
    dev64 *word;
    uint32_t level1, level2, roots;
};

GROSR_DEVICE struct grosr_chunk_map grosr_map(const struct grosr_heap *h, uint32_t map)
{
    struct grosr_chunk_map m;
    m.word = h->maps + (size_t)map * h->map_words;
    m.level1 = h->map_level1;
    m.level2 = h->map_level2;
    m.roots = h->map_roots;
    return m;
}

GROSR_DEVICE dev64 *grosr_map_above(const struct grosr_chunk_map *m, uint32_t w, uint64_t *bit)
{
    bool middle = w >= m->level1;
    uint32_t i = middle ? w - m->level1 : w;

    *bit = UINT64_C(1) << i % 64;
    return &m->word[(middle ? m->level2 : m->level1) + i / 64];
}

/* Sets bits of word `w`, of level 0 or 1. Returns what was set, and as *last, if it is not NULL, what the
 * last word was that it has changed: what depends on that comes after all of it. */
GROSR_DEVICE uint64_t grosr_map_set(const struct grosr_chunk_map *m, uint32_t w, uint64_t bits,
                                    uint64_t *last)
{
    uint64_t old = dev_or_dependent(&m->word[w], bits), first = old, bit;

    while (first == 0 && w < m->level2) {
        dev64 *above = grosr_map_above(m, w, &bit);
        w = (uint32_t)(above - m->word);
        first = dev_or_dependent(above, bit);
    }
    if (last)
        *last = first;
    return old;
}

/* Word `w` of level 0 or 1 has no bits: clears the bit above it, and above that. */
GROSR_DEVICE void grosr_map_clear_above(const struct grosr_chunk_map *m, uint32_t w)
{
    while (w < m->level2) {
        uint64_t bit, left;
        dev64 *above = grosr_map_above(m, w, &bit);
        left = dev_and_dependent(above, ~bit) & ~bit;
        /* Release: after the clearing. Pairs with grosr_map_set(). */
        if (dev_add_acq_rel(&m->word[w], UINT64_C(0))) {
            grosr_map_set(m, (uint32_t)(above - m->word), bit, NULL);
            return;
        }
        if (left)
            return;
        w = (uint32_t)(above - m->word);
    }
}

/* Clears bits of word `w` of level 0. Returns those of them that were set: they are the caller's now. The
 * hint above stays, also where the word has no bits left. */
GROSR_DEVICE uint64_t grosr_map_claim(const struct grosr_chunk_map *m, uint32_t w, uint64_t bits)
{
    return dev_and_dependent(&m->word[w], ~bits) & bits;
}

/* Sets a chunk's bit. Whether it was clear; *last as above. */
GROSR_DEVICE bool grosr_map_put(const struct grosr_chunk_map *m, uint32_t chunk, uint64_t *last)
{
    uint64_t bit = UINT64_C(1) << chunk % 64;

    return !(grosr_map_set(m, chunk / 64, bit, last) & bit);
}

/* Whether there is no bit. */
GROSR_DEVICE bool grosr_map_is_empty(const struct grosr_chunk_map *m)
{
    uint64_t roots = 0;

    for (uint32_t i = 0; i < m->roots; i++)
        roots |= dev_load_relaxed(&m->word[m->level2 + i]);
    return roots == 0;
}

/* One of the set bits, another one for another `spread`. */
GROSR_DEVICE uint32_t grosr_bit_any(uint64_t bits, uint32_t spread)
{
    uint32_t turn = spread % 64;
    uint64_t turned = turn ? bits >> turn | bits << (64 - turn) : bits;

    return (dev_ffs64(turned) - 1 + turn) % 64;
}

/* Claims a set bit of word `w` of level 0 and up to `max` - 1 others. Returns them; 0: it has none. */
GROSR_DEVICE uint64_t grosr_map_take_of(const struct grosr_chunk_map *m, uint32_t w, uint32_t spread,
                                        uint32_t max)
{
    uint64_t x = dev_load_relaxed(&m->word[w]), bits;

    while (x) {
        bits = UINT64_C(1) << grosr_bit_any(x, spread);
        if (max > 1)
            bits |= grosr_bits_lowest(x & ~bits, max - 1);
        bits = grosr_map_claim(m, w, bits);
        if (bits)
            return bits;
        x = dev_load_relaxed(&m->word[w]);
    }
    return 0;
}

#define GROSR_MAP_SURELY UINT32_MAX

/* Where a hint is wrong: of many that find it so at once some correct it, and those that must know. */
GROSR_DEVICE void grosr_map_correct(const struct grosr_chunk_map *m, uint32_t w, uint32_t spread,
                                    uint32_t rounds)
{
    if (rounds == GROSR_MAP_SURELY || spread >> 29 == 0)
        grosr_map_clear_above(m, w);
}

/*
 * Claims a set bit and up to `max` - 1 others of its word. Returns them, and the word as *at; 0: there are
 * none, or none was found in so many rounds. The words of level 1, 256 MiB each, are used from below, so that
 * the upper part of the arena stays in one piece: an eighth of them at a time, or as many as there are below
 * that have no bit, so that more warps find words of their own where much is allocated.
 *
 * GROSR_MAP_SURELY: until it is sure that there are none. That ends: each further round is due to a bit that
 * another thread has claimed, or to a hint that this one has corrected.
 */
GROSR_DEVICE uint64_t grosr_map_take(const struct grosr_chunk_map *m, uint32_t spread, uint32_t max,
                                     uint32_t rounds, uint32_t *at)
{
    uint32_t root = 0, round = 0;

    spread *= 0x9e3779b1u;
    while (root < m->roots && (rounds == GROSR_MAP_SURELY || round++ < rounds)) {
        uint64_t x = dev_load_relaxed(&m->word[m->level2 + root]);
        if (!x) {
            root++;
            round--;
            continue;
        }
        uint32_t part = (m->level2 - m->level1) / 8, used_up = root * 64 + dev_ffs64(x) - 1;
        part = part > used_up ? part : used_up;
        x = part > 1 ? grosr_bits_lowest(x, part) : x & ~(x - 1);
        uint32_t w = m->level1 + root * 64 + grosr_bit_select(x, (spread >> 8) % dev_popc64(x));
        x = dev_load_relaxed(&m->word[w]);
        if (x) {
            w = (w - m->level1) * 64 + grosr_bit_select(x, (spread >> 16) % dev_popc64(x));
            x = grosr_map_take_of(m, w, spread >> 24, max);
            if (x) {
                *at = w;
                return x;
            }
            x = dev_load_relaxed(&m->word[w]);
        }
        spread = spread * 747796405u + 2891336453u;
        if (!x)
            grosr_map_correct(m, w, spread, rounds);
    }
    return 0;
}

#endif
