/*
 * Size classes: how long the blocks are that a request can get.
 *
 * A slab is a chunk of 64 KiB that is cut into slots of one size. Up to 128 bytes the sizes are the multiples
 * of 16, from there to 8 KiB there are four for each power of two, so that at most a fifth of a slot is left
 * over. Beyond, a class is a number of slots in a chunk, from 7 to 2. What is larger than half a chunk takes
 * whole chunks.
 *
 *     class    0 ..  7    16, 32, 48, ... 128
 *              8 .. 31    160, 192, 224, 256, 320, ... 7168, 8192
 *             32 .. 37    65536 / 7 .. 65536 / 2, rounded down to a multiple of 16
 *
 * A slot whose size is a multiple of a power of two is aligned to that power, since chunks are aligned to
 * their size.
 */
#ifndef GROSR_SIZE_CLASS_H
#define GROSR_SIZE_CLASS_H

#include "../../tracer/port/device.h"

#define GROSR_CHUNK_SHIFT   16
#define GROSR_CHUNK_BYTES   (1u << GROSR_CHUNK_SHIFT)
#define GROSR_CHUNK_WORDS   64u /* of 64 bits, one a slot of the smallest class */
#define GROSR_SMALL_MAX     8192u
#define GROSR_SLOT_MAX      (GROSR_CHUNK_BYTES / 2)
#define GROSR_CLASS_SMALLS  32u
#define GROSR_CLASSES       38u
#define GROSR_CLASS_LARGE   GROSR_CLASSES
#define GROSR_CLASS_FEW_MAX 7u /* slots in a chunk of class GROSR_CLASS_SMALLS */

/* The class of a request of `size` bytes, 0 and more; GROSR_CLASS_LARGE: none. */
GROSR_DEVICE uint32_t grosr_class_of(uint64_t size)
{
    if (size <= 128)
        return size ? (uint32_t)(size - 1) / 16 : 0;
    if (size > GROSR_SLOT_MAX)
        return GROSR_CLASS_LARGE;
    uint32_t rounded = ((uint32_t)size + 15) & ~15u;
    if (rounded <= GROSR_SMALL_MAX) {
        uint32_t shift = dev_fls32(rounded - 1) - 3; /* of the step between classes: 128 << shift / 32 */
        return 8 + (shift - 5) * 4 + ((rounded - 1) >> shift) - 4;
    }
    uint32_t slots = GROSR_CHUNK_BYTES / rounded;
    return GROSR_CLASS_SMALLS + GROSR_CLASS_FEW_MAX -
           (slots < GROSR_CLASS_FEW_MAX ? slots : GROSR_CLASS_FEW_MAX);
}

/* The bytes of a slot. */
GROSR_DEVICE uint32_t grosr_class_bytes(uint32_t size_class)
{
    if (size_class < 8)
        return 16 * (size_class + 1);
    if (size_class < GROSR_CLASS_SMALLS)
        return (5 + (size_class & 3)) << (size_class / 4 + 3);
    return GROSR_CHUNK_BYTES / (GROSR_CLASS_SMALLS + GROSR_CLASS_FEW_MAX - size_class) & ~15u;
}

/* The slots of a slab. */
GROSR_DEVICE uint32_t grosr_class_slots(uint32_t size_class)
{
    return GROSR_CHUNK_BYTES / grosr_class_bytes(size_class);
}

/* The class for `size` bytes aligned to `alignment`, a power of two up to GROSR_SLOT_MAX. */
GROSR_DEVICE uint32_t grosr_class_aligned(uint64_t size, uint32_t alignment)
{
    uint64_t power = alignment;

    if (alignment <= 16)
        return grosr_class_of(size);
    while (power < size && power <= GROSR_SLOT_MAX)
        power *= 2;
    return grosr_class_of(power);
}

#endif
