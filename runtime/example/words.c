/*
 * A program with task functions of its own: how many words a text has, how long the longest is, and which
 * letter is the most frequent.
 *
 *     words [DEVICE [FILE]]        DEVICE: auto, cuda, cuda:N or host; without FILE, a text is made up
 *
 * The text lies in memory that the host and the tasks share, cut in chunks. `count` halves its range of
 * chunks until it has one, spawns a task for each half and continues as `merge` when both are done. `letter`
 * looks for one letter, all lanes of a warp together.
 *
 * One source for both devices: nvcc builds the program for CUDA, gcc (or g++, clang) for the host device.
 */
#include <grosr/grosr.h>
#include <grosr/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK      512u
#define CHUNKS_MAX 65535u

#define LETTER(c) (((c) | 32) >= 'a' && ((c) | 32) <= 'z')

/* What the tasks' argument b points to, in shared memory. All addresses are the device's. */
struct text {
    const char *bytes; /* a blank stands before the first */
    uint32_t size;
    uint32_t *longest; /* a chunk: the longest word of a range is at its first chunk */
};

/* ---- the task functions ---- */

#define WORDS_TASKS(TASK)                                                           \
    TASK(0, COUNT, count, WRITES, "the words of a >> 16 chunks from a & 0xffff on") \
    TASK(1, MERGE, merge, WRITES, "the same, after its halves have been counted")   \
    TASK(2, LETTER, letter, WARP, "how often the letter a is in the text")

GROSR_TASK_IDS(WORDS_TASKS);

/* Words that begin in the chunk; they may end behind it. */
GROSR_DEVICE uint32_t count_chunk(const struct text *text, uint32_t chunk)
{
    uint32_t at = chunk * CHUNK, end = at + CHUNK < text->size ? at + CHUNK : text->size, words = 0,
             longest = 0;

    while (at < end) {
        uint32_t start = at;
        while (at < text->size && LETTER(text->bytes[at]))
            at++;
        if (at > start && !LETTER(text->bytes[(int)start - 1])) {
            words++;
            if (longest < at - start)
                longest = at - start;
        }
        at += at == start;
    }
    text->longest[chunk] = longest;
    return words;
}

GROSR_TASK(count)
{
    uint32_t chunks = task->a >> 16, first = task->a & 0xffffu, half = chunks / 2;
    int err;

    if (chunks == 1) {
        task->value = count_chunk((const struct text *)(uintptr_t)task->b, first);
        return 0;
    }
    err = grosr_spawn(task, FN_COUNT, half << 16 | first, task->b);
    if (!err)
        err = grosr_spawn(task, FN_COUNT, (chunks - half) << 16 | (first + half), task->b);
    return err ? err : grosr_then(task, FN_MERGE, task->a, task->b);
}

GROSR_TASK(merge)
{
    const struct text *text = (const struct text *)(uintptr_t)task->b;
    uint32_t chunks = task->a >> 16, first = task->a & 0xffffu, half = chunks / 2;

    if (text->longest[first] < text->longest[first + half])
        text->longest[first] = text->longest[first + half];
    task->value = task->sum;
    return task->failed;
}

GROSR_WARP_TASK(letter)
{
    const struct text *text = (const struct text *)(uintptr_t)task->b;
    uint64_t found = 0;

    for (uint32_t i = dev_lane(); i < text->size; i += GROSR_LANES)
        found += LETTER(text->bytes[i]) && (uint32_t)(text->bytes[i] | 32) == task->a;
    task->value = dev_sum64(found);
    return 0;
}

#define GROSR_TASKS WORDS_TASKS
#include <grosr/program.h>

/* ---- the host ---- */

struct answer {
    uint64_t words, longest, letter[26];
};

/* The same by a plain loop. */
static struct answer count_plainly(const char *bytes, size_t size)
{
    struct answer x;
    uint64_t length = 0;

    memset(&x, 0, sizeof(x));
    for (size_t i = 0; i < size; i++) {
        if (!LETTER(bytes[i])) {
            length = 0;
            continue;
        }
        x.letter[(bytes[i] | 32) - 'a']++;
        x.words += ++length == 1;
        x.longest = length > x.longest ? length : x.longest;
    }
    return x;
}

/* One task for the words, one for each letter. */
static int count_by_tasks(grosr *rt, const struct text *text, uint64_t text_on_device, struct answer *x)
{
    struct grosr_task tasks[27];
    struct grosr_result results[27];
    uint64_t first;
    int err;

    memset(tasks, 0, sizeof(tasks));
    tasks[26].function = FN_COUNT;
    tasks[26].a = (text->size + CHUNK - 1) / CHUNK << 16;
    tasks[26].b = text_on_device;
    for (uint32_t i = 0; i < 26; i++) {
        tasks[i].function = FN_LETTER;
        tasks[i].a = 'a' + i;
        tasks[i].b = text_on_device;
    }
    err = grosr_submit(rt, tasks, 27, results, &first);
    if (!err)
        err = grosr_wait(rt, first + 27, GROSR_FOREVER);
    if (err)
        return err;
    for (uint32_t i = 0; i < 27; i++)
        if (results[i].status)
            return grosr_fail(-results[i].status, "task %u ended with status %d", i, results[i].status);
    for (uint32_t i = 0; i < 26; i++)
        x->letter[i] = results[i].value;
    x->words = results[26].value;
    return 0;
}

/* A file's bytes, or words made up. NULL: it cannot be read. */
static char *get_text(const char *path, size_t *size)
{
    const size_t max_bytes = (size_t)CHUNK * CHUNKS_MAX;
    char *bytes = (char *)malloc(max_bytes);
    FILE *file = path ? fopen(path, "rb") : NULL;
    uint32_t random = 1;

    if (!bytes || (path && !file))
        return NULL;
    if (file) {
        *size = fread(bytes, 1, max_bytes, file);
        fclose(file);
        return bytes;
    }
    for (*size = 0; *size < 300000; bytes[(*size)++] = ' ')
        for (random = random * 1664525 + 1013904223; random >> 29 && *size < 299999; random = random * 5 + 1)
            bytes[(*size)++] = (char)('a' + (random >> 16) % 26 * ((random >> 8) % 26) / 26);
    return bytes;
}

int main(int argc, char **argv)
{
    struct grosr_options options = GROSR_OPTIONS_DEFAULT;
    struct answer x, right;
    size_t size = 0, bytes_at, longest_at, chunks;
    void *host, *device;
    char *bytes = get_text(argc > 2 ? argv[2] : NULL, &size);
    grosr *rt;
    int top = 0;

    if (!bytes || size == 0) {
        fprintf(stderr, "words: there is no text\n");
        return 1;
    }
    chunks = (size + CHUNK - 1) / CHUNK;
    longest_at = sizeof(struct text);
    bytes_at = longest_at + chunks * sizeof(uint32_t) + 1;
    options.name = "words";
    options.program = &grosr_program;
    options.shared_bytes = bytes_at + size;
    if (argc > 1)
        options.device = argv[1];
    if (grosr_open(&rt, &options)) {
        fprintf(stderr, "words: %s\n", grosr_error());
        return 1;
    }
    grosr_shared(rt, &host, &device);

    struct text *text = (struct text *)host;
    text->bytes = (const char *)device + bytes_at;
    text->size = (uint32_t)size;
    text->longest = (uint32_t *)(void *)((char *)device + longest_at);
    memset((char *)host + bytes_at - 1, ' ', 1);
    memcpy((char *)host + bytes_at, bytes, size);

    memset(&x, 0, sizeof(x));
    if (count_by_tasks(rt, text, (uint64_t)(uintptr_t)device, &x)) {
        fprintf(stderr, "words: %s\n", grosr_error());
        grosr_close(rt);
        return 1;
    }
    x.longest = *(uint32_t *)(void *)((char *)host + longest_at);
    grosr_close(rt);

    for (int i = 1; i < 26; i++)
        top = x.letter[i] > x.letter[top] ? i : top;
    printf("%llu words, the longest of %llu letters; %llu times the letter %c\n", (unsigned long long)x.words,
           (unsigned long long)x.longest, (unsigned long long)x.letter[top], 'a' + top);
    right = count_plainly(bytes, size);
    free(bytes);
    if (memcmp(&x, &right, sizeof(x)) != 0) {
        fprintf(stderr, "words: a plain loop finds %llu words, the longest of %llu letters\n",
                (unsigned long long)right.words, (unsigned long long)right.longest);
        return 1;
    }
    return 0;
}
