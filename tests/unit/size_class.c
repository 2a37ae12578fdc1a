/* Size classes: which one a request gets, and that its slots have room, alignment and little waste. */
#include "../../runtime/alloc/heap_plan.h"
#include "../tap.h"

static void sizes(void)
{
    uint64_t wrong = 0, waste_small = 0, waste = 0;
    uint32_t before = 0;

    for (uint32_t size = 0; size <= 40000; size++) {
        uint32_t c = grosr_class_of(size);
        if (size > GROSR_SLOT_MAX) {
            wrong += c != GROSR_CLASS_LARGE;
            continue;
        }
        uint32_t bytes = grosr_class_bytes(c);
        wrong += c >= GROSR_CLASSES || bytes < size || bytes < 16;
        wrong += c < before || c > before + 1;              /* none is left out */
        wrong += c > 0 && grosr_class_bytes(c - 1) >= size; /* a smaller one would do */
        before = c;
        if (size > 128 && size <= GROSR_SMALL_MAX) {
            uint64_t thousandths = (bytes - size) * 1000 / bytes;
            waste_small = thousandths > waste_small ? thousandths : waste_small;
        }
        wrong += size && size <= 128 && bytes - size > 15;
        if (size > GROSR_SMALL_MAX) {
            uint64_t thousandths = (bytes - size) * 1000 / bytes;
            waste = thousandths > waste ? thousandths : waste;
        }
    }
    is(wrong, 0, "every size from 0 to 40000 has the smallest class that has room for it");
    ok(waste_small < 200, "up to 8 KiB less than a fifth of a slot is left over (%.1f %%)",
       (double)waste_small / 10);
    ok(waste < 340, "beyond that at most a third (%.1f %%)", (double)waste / 10);
    is(grosr_class_of(0), 0, "0 bytes get the smallest");
    is(grosr_class_of(UINT64_MAX), GROSR_CLASS_LARGE, "2^64 - 1 are large");
    is(grosr_class_of((UINT64_C(1) << 32) + 1), GROSR_CLASS_LARGE, "2^32 + 1 too");
}

static void classes(void)
{
    uint64_t wrong = 0;

    for (uint32_t c = 0; c < GROSR_CLASSES; c++) {
        uint32_t bytes = grosr_class_bytes(c), slots = grosr_class_slots(c);
        wrong += bytes % 16 || slots * bytes > GROSR_CHUNK_BYTES || slots < 2;
        wrong += (slots + 1) * bytes <= GROSR_CHUNK_BYTES || slots > GROSR_CHUNK_WORDS * 64;
        wrong += grosr_class_of(bytes) != c;
        wrong += c > 0 && bytes <= grosr_class_bytes(c - 1);
    }
    is(wrong, 0, "every class: sizes grow, a slab has as many slots as fit");
    is(grosr_class_bytes(0), 16, "the first");
    is(grosr_class_bytes(7), 128, "the last of equal steps");
    is(grosr_class_bytes(8), 160, "the first of four for a power of two");
    is(grosr_class_bytes(31), 8192, "the last of them");
    is(grosr_class_bytes(37), 32768, "the last");
    wrong = 0;
    for (uint32_t size = 16; size <= GROSR_SLOT_MAX; size *= 2)
        wrong += grosr_class_bytes(grosr_class_of(size)) != size;
    is(wrong, 0, "each power of two has a class of its own, so that its slots are aligned to it");
}

static void aligned(void)
{
    uint64_t wrong = 0;

    for (uint32_t alignment = 1; alignment <= GROSR_SLOT_MAX; alignment *= 2)
        for (uint32_t size = 0; size <= 40000; size += 1 + size / 64) {
            uint32_t c = grosr_class_aligned(size, alignment);
            if (c == GROSR_CLASS_LARGE)
                wrong += size <= GROSR_SLOT_MAX;
            else
                wrong += grosr_class_bytes(c) < size || (alignment > 16 && grosr_class_bytes(c) % alignment);
        }
    is(wrong, 0, "aligned requests get slots whose size is a multiple of the alignment");
    is(grosr_class_aligned(UINT64_MAX, 64), GROSR_CLASS_LARGE, "2^64 - 1 aligned bytes are large");
}

/* grosr_slot_of_unit() divides by multiplying. */
static void units(void)
{
    struct grosr_heap h;
    struct grosr_heap_plan plan;
    uint64_t wrong = 0;

    grosr_heap_make_plan(&h, &plan, 1, 0);
    for (uint32_t c = 0; c < GROSR_CLASSES; c++) {
        wrong += h.slots[c] != grosr_class_slots(c) || h.units[c] * 16u != grosr_class_bytes(c);
        for (uint32_t unit = 0; unit < GROSR_CHUNK_BYTES / 16; unit++)
            wrong += grosr_slot_of_unit(&h, c, unit) != unit / h.units[c];
    }
    is(wrong, 0, "which slot has a place in a chunk: right for every class and place");
}

static void words(void)
{
    uint64_t seed = 5, wrong = 0;

    for (int i = 0; i < 20000; i++) {
        uint64_t bits = tap_random(&seed) & (i % 3 ? tap_random(&seed) : UINT64_MAX) << i % 64, lowest = 0,
                 left;
        uint32_t rank = 0, n = (uint32_t)(i % 66);
        for (left = bits; left; left &= left - 1, rank++) {
            uint64_t lowest_bit = left & (~left + 1);
            wrong += UINT64_C(1) << grosr_bit_select(bits, rank) != lowest_bit;
            lowest |= rank < n ? lowest_bit : 0;
        }
        wrong += grosr_bits_lowest(bits, n) != lowest;
    }
    wrong += grosr_bits_below(0) != 0 || grosr_bits_below(1) != 1 || grosr_bits_below(64) != UINT64_MAX;
    is(wrong, 0, "bits of a word by their rank");
}

int main(void)
{
    sizes();
    classes();
    aligned();
    units();
    words();
    return tap_done();
}
