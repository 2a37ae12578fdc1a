/*
 * The diagnosis of streams that wait for words in memory, by pictures of them that are made by hand
 * (foreign_parts.h): what is behind a wait is not blamed, and a wait is only if nothing is left that could
 * write its word.
 */
#include "../foreign_picture.h"

/* ---- what a stream waits for ---- */

#define WORD  UINT64_C(0x7f0000001000)
#define OTHER UINT64_C(0x7f0000002000)

static struct foreign_launch *word(struct foreign *f, uint32_t kind, uint32_t stream, uint64_t address,
                                   uint64_t value)
{
    struct foreign_launch *l = launch(f, kind, stream, 7, "word");
    char text[GROSR_WORD_TEXT];

    l->word = (struct grosr_word){.address = address, .value = value, .width = 4};
    snprintf(l->name, sizeof(l->name), "%s",
             grosr_word_text(text, sizeof(text), &l->word, kind == GROSR_LAUNCH_WRITE));
    f->stream[stream].id = stream + 7;
    return l;
}

/* A wait with a kernel behind it that has always ended fast; a thread waits for both, another one for it. */
static struct foreign waiting(void)
{
    struct foreign f = picture();

    f.stream[1].word_place = word(&f, GROSR_LAUNCH_WAIT, 1, WORD, 5)->place;
    f.stream[1].word_flags = GROSR_WORD_NOT | GROSR_WORD_VALUE;
    f.stream[1].word_value = 3;
    struct foreign_launch *l = launch(&f, GROSR_LAUNCH_KERNEL, 1, 7, "work");
    l->ran = 1000;
    l->longest_ns = 1000;
    l->flags = GROSR_LAUNCH_COOPERATIVE;
    l->first = false;
    call(&f, FOREIGN_CALL_OTHER, 7, GROSR_CALL_WAITS_DEVICE, "cudaDeviceSynchronize");
    f.thread[f.threads++] =
        (struct grosr_host_thread){.tid = 7, .state = GROSR_HOST_THREAD_RUNS, .since_ns = 91 * S};
    f.thread[f.threads++] = (struct grosr_host_thread){
        .tid = 20, .state = GROSR_HOST_THREAD_SLEEPS, .of_driver = true, .since_ns = 91 * S};
    f.thread[f.threads++] =
        (struct grosr_host_thread){.tid = 21, .state = GROSR_HOST_THREAD_FUTEX, .since_ns = 91 * S};
    return f;
}

static void words(void)
{
    struct foreign f = waiting();

    is_kind(f, "value_never_written", "a word that nobody is left to write");
    is_said("stream 8 has waited for 10.0 s until the word at 0x7f0000001000 is >= 5", "what it waits for");
    is_said("it was 3 when it was read last", "what the word is");
    is_said("1 launch is behind it and has not begun: kernel work (stream 8, 1 ahead)", "what is behind it");
    is(findings.findings, 1, "the kernel and the call that wait behind it are no other findings");
    f = waiting();
    f.thread[2].state = GROSR_HOST_THREAD_SLEEPS;
    is_kind(f, "healthy", "a thread that sleeps may write it");
    ok(says("waits_for_value"), "that the stream waits is a remark");
    is_said("may write it: thread 21, which sleeps", "with who may write");
    f = waiting();
    f.thread[2].since_ns = f.now_ns - S / 2;
    is_kind(f, "healthy", "so may one that has just begun to wait");
    f = waiting();
    f.threads = 0;
    is_kind(f, "healthy", "threads that are not known");
    f = waiting();
    f.threads_unknown = true;
    is_kind(f, "healthy", "or not all");
    f = waiting();
    f.called = true;
    is_kind(f, "healthy", "a program that makes calls");
    f = waiting();
    f.stream[2].moved = true;
    is_kind(f, "healthy", "or whose streams move");
    f = waiting();
    launch(&f, GROSR_LAUNCH_KERNEL, 2, 7, "other");
    is_kind(f, "healthy", "a kernel that runs may write it");
    f = waiting();
    f.stream[1].word_flags |= GROSR_WORD_SHARED;
    is_kind(f, "healthy", "so may another process");
    f = waiting();
    f.stream[1].word_place = 0;
    is_kind(f, "healthy", "a word that was not looked at");
    f = waiting();
    call(&f, FOREIGN_CALL_ALLOCATE, 9, GROSR_CALL_WAITS_NOT, "cudaMalloc");
    is_kind(f, "healthy", "a thread in a call that does not wait for the stream");
    f = waiting();
    f.calls = 0;
    f.thread[0].state = GROSR_HOST_THREAD_FUTEX;
    is_kind(f, "healthy", "a stream that nobody waits for");
    f = waiting();
    f.launch[0].first = false;
    is_kind(f, "healthy", "a wait that was behind something at the first look");
    f = waiting();
    f.launch[0].issued_ns = f.now_ns - S / 2;
    is_kind(f, "healthy", "one of half a second");
    f = waiting();
    f.stream[1].word_flags = GROSR_WORD_MET;
    is_kind(f, "healthy", "one whose word is as it is to be ends at any moment");
}

static struct foreign written(uint64_t value, uint64_t issued_ns)
{
    struct foreign f = waiting();

    f.stream[1].word_flags = 0;
    f.written = (struct foreign_written *)calloc(4, sizeof(*f.written));
    f.written[f.writtens++] =
        (struct foreign_written){{.address = WORD, .value = value, .width = 4}, issued_ns};
    return f;
}

static void written_words(void)
{
    struct foreign f = written(5, 80 * S);

    is_kind(f, "grid_barrier", "a word that was written lets the kernel behind the wait begin");
    is_kind(written(6, 80 * S), "grid_barrier", "with more than is waited for");
    is_kind(written(4, 80 * S), "value_never_written", "not with less");
    f = written(5, 80 * S);
    f.written[0].word.address = OTHER;
    is_kind(f, "value_never_written", "nor if it was another word");
    f = written(5, 80 * S);
    f.launch[0].word.condition = GROSR_WORD_EQUAL;
    is_kind(f, "grid_barrier", "if it is to be equal, it is");
    f = written(6, 80 * S);
    f.launch[0].word.condition = GROSR_WORD_EQUAL;
    is_kind(f, "value_never_written", "with more it is not");
    f = written(5, 80 * S);
    f.written[f.writtens++] = (struct foreign_written){{.address = WORD, .value = 4, .width = 4}, 79 * S};
    is_kind(f, "grid_barrier", "what was written before proves nothing else: it counts upwards");
    f = written(5, 80 * S);
    f.written[f.writtens++] = (struct foreign_written){{.address = WORD, .value = 0, .width = 4}, 79 * S};
    is_kind(f, "value_never_written", "unless it is set to 0, before or later");
    f = written(5, 80 * S);
    f.stream[1].word_flags = GROSR_WORD_NOT;
    is_kind(f, "value_never_written", "nor if the word has another value");
    f = waiting();
    struct foreign_launch *l = word(&f, GROSR_LAUNCH_WRITE, 2, WORD, 5);
    l->issued_ns = 98 * S;
    launch(&f, GROSR_LAUNCH_KERNEL, 2, 7, "other")->issued_ns = f.now_ns - S / 2;
    f.stream[1].word_flags = 0;
    is_kind(f, "grid_barrier", "a write with nothing before it has ended");
}

/* Two streams, each of which would write what the other one waits for, but waits first. */
static struct foreign value_cycle(uint64_t value)
{
    struct foreign f = picture();

    f.stream[1].word_place = word(&f, GROSR_LAUNCH_WAIT, 1, WORD, 1)->place;
    word(&f, GROSR_LAUNCH_WRITE, 1, OTHER, 1)->first = false;
    f.stream[2].word_place = word(&f, GROSR_LAUNCH_WAIT, 2, OTHER, 1)->place;
    word(&f, GROSR_LAUNCH_WRITE, 2, WORD, value)->first = false;
    call(&f, FOREIGN_CALL_OTHER, 7, GROSR_CALL_WAITS_DEVICE, "cudaDeviceSynchronize");
    f.thread[f.threads++] =
        (struct grosr_host_thread){.tid = 7, .state = GROSR_HOST_THREAD_RUNS, .since_ns = 91 * S};
    return f;
}

static void word_cycles(void)
{
    struct foreign f = value_cycle(1);

    is_kind(f, "stream_cycle", "two streams that wait for each other's words");
    is(findings.finding[0].verdict, GROSR_VERDICT_DEADLOCK, "are a deadlock");
    is(findings.finding[0].cycles, 4, "with its cycle");
    is_said("stream 8 waits until the word at 0x7f0000001000 is >= 1, which is written behind what stream 9 "
            "waits for; stream 9 waits until",
            "which is said");
    is(findings.findings, 1, "in one finding");
    f = value_cycle(1);
    f.thread[f.threads++] = (struct grosr_host_thread){.tid = 8, .state = GROSR_HOST_THREAD_RUNS};
    is_kind(f, "healthy", "a thread may begin the round");
    is_said("may write it: thread 8, which runs", "which is said");
    is_kind(value_cycle(0), "value_never_written", "a write of another value is none");
    f = value_cycle(1);
    f.launches = 2;
    f.launch[1].word.address = WORD;
    is_kind(f, "stream_cycle", "a stream that waits for what it writes itself later");
    f = value_cycle(1);
    f.launches = 3;
    f.launch[2].kind = GROSR_LAUNCH_KERNEL;
    f.launch[2].stream = 3;
    f.launch[2].stays = true;
    is_kind(f, "healthy", "beside a kernel it is not known");
}

static void conditions(void)
{
    struct grosr_word w = {.value = 5, .width = 4, .condition = GROSR_WORD_AT_LEAST};

    ok(grosr_word_is_met(&w, 5) && grosr_word_is_met(&w, 6) && !grosr_word_is_met(&w, 4), ">=");
    w.value = 0xfffffffeu;
    ok(grosr_word_is_met(&w, 1), ">= of a counter that has wrapped around");
    w.width = 8;
    ok(!grosr_word_is_met(&w, 1) && grosr_word_is_met(&w, UINT64_C(0x100000000)),
       "a word of 64 bits has not");
    w = (struct grosr_word){.value = 6, .width = 4, .condition = GROSR_WORD_AND};
    ok(grosr_word_is_met(&w, 2) && !grosr_word_is_met(&w, 9), "&");
    w = (struct grosr_word){.value = 0xfffffff0u, .width = 4, .condition = GROSR_WORD_NOR};
    ok(grosr_word_is_met(&w, 7) && !grosr_word_is_met(&w, 15), "NOR");
    w.width = 8;
    ok(grosr_word_is_met(&w, 15), "NOR of 64 bits");
}

int main(void)
{
    grosr_findings_init(&findings, S);
    words();
    written_words();
    word_cycles();
    conditions();
    grosr_findings_free(&findings);
    return tap_done();
}
