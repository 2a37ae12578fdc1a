/*
 * A program that marks what it does with NVTX, as tests/cli/nvtx.t wants it: `nvtx WHAT...` does each WHAT in
 * turn. It uses NVTX's header and nothing of GROSR's.
 */
#include "../forked.h"
#include "cost.h"

#include <nvtx3/nvToolsExt.h>
#include <nvtx3/nvToolsExtCudaRt.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

static nvtxEventAttributes_t event(const char *message)
{
    nvtxEventAttributes_t a;

    memset(&a, 0, sizeof(a));
    a.version = NVTX_VERSION;
    a.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
    a.messageType = NVTX_MESSAGE_TYPE_ASCII;
    a.message.ascii = message;
    return a;
}

/* Every kind of call once. */
static void all(void)
{
    nvtxMarkA("mark");
    nvtxMarkW(L"m\x00e4rk \x20ac \x1f600");
    nvtxRangePushA("outer");
    nvtxRangePushW(L"inner");
    int depth[] = {nvtxRangePushA("innermost"), nvtxRangePop(), nvtxRangePop(), nvtxRangePop(),
                   nvtxRangePop()};
    nvtxRangeId_t a = nvtxRangeStartA("a"), b = nvtxRangeStartW(L"b");
    nvtxRangeEnd(a);
    nvtxRangeEnd(b);
    nvtxRangeEnd(b + 1000);
    nvtxNameCategoryA(7, "seven");
    nvtxNameOsThreadA((uint32_t)getpid(), "the first thread");

    nvtxDomainHandle_t domain = nvtxDomainCreateA("domain.A"), wide = nvtxDomainCreateW(L"domain.W");
    nvtxStringHandle_t text = nvtxDomainRegisterStringA(domain, "registered");
    nvtxDomainNameCategoryA(domain, 8, "8");
    nvtxDomainNameCategoryA(domain, 8, "eight"); /* renamed */
    nvtxEventAttributes_t e = event(NULL);
    e.category = 8;
    e.colorType = NVTX_COLOR_ARGB;
    e.color = 0xff76b900;
    e.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
    e.message.registered = text;
    nvtxDomainRangePushEx(domain, &e);
    nvtxRangePushA("of the default domain, across"); /* domains do not nest into each other */
    nvtxDomainRangePop(domain);
    nvtxRangePop();
    nvtxDomainMarkEx(domain, &e);
    nvtxRangeId_t c = nvtxDomainRangeStartEx(wide, &e);
    nvtxDomainRangeEnd(wide, c);

    e = event("payload");
    e.payloadType = NVTX_PAYLOAD_TYPE_UNSIGNED_INT64;
    e.payload.ullValue = 1ull << 40;
    nvtxMarkEx(&e);
    e.payloadType = NVTX_PAYLOAD_TYPE_INT64;
    e.payload.llValue = -5;
    nvtxMarkEx(&e);
    e.payloadType = NVTX_PAYLOAD_TYPE_DOUBLE;
    e.payload.dValue = 0.5;
    nvtxMarkEx(&e);
    e.payloadType = NVTX_PAYLOAD_TYPE_UNSIGNED_INT32;
    e.payload.uiValue = 4000000000u;
    nvtxMarkEx(&e);
    e.payloadType = NVTX_PAYLOAD_TYPE_INT32;
    e.payload.iValue = -6;
    nvtxMarkEx(&e);
    e.payloadType = NVTX_PAYLOAD_TYPE_FLOAT;
    e.payload.fValue = 0.25f;
    nvtxMarkEx(&e);

    nvtxNameCudaDeviceA(0, "the device");
    nvtxNameCudaStreamW((cudaStream_t)(uintptr_t)0x1234, L"the stream");
    printf("depths %d %d %d %d %d\n", depth[0], depth[1], depth[2], depth[3], depth[4]);
}

/* What a program should not do. */
static void odd(void)
{
    static char longest[40000];
    nvtxEventAttributes_t small = event("not looked at");

    memset(longest, 'x', sizeof(longest) - 1);
    nvtxMarkA(longest);
    nvtxMarkA(NULL);
    nvtxMarkW(NULL);
    nvtxMarkEx(NULL);
    nvtxRangePushEx(NULL);
    nvtxRangePop();
    small.size = 8; /* version, size and category */
    small.category = 3;
    nvtxMarkEx(&small);
    nvtxDomainRangePop((nvtxDomainHandle_t)(uintptr_t)77);
    nvtxDomainMarkEx(nvtxDomainCreateA(NULL), NULL);
}

/* A text of `bytes` bytes that ends in `last`; the caller has it until the next call. */
static const char *long_text(size_t bytes, char last)
{
    static char *text;

    free(text);
    text = (char *)malloc(bytes + 1);
    if (!text)
        exit(3);
    memset(text, 'x', bytes);
    text[bytes - 1] = last;
    text[bytes] = 0;
    return text;
}

static const wchar_t *long_wide_text(size_t characters, wchar_t last)
{
    static wchar_t *text;

    free(text);
    text = (wchar_t *)malloc((characters + 1) * sizeof(*text));
    if (!text)
        exit(3);
    wmemset(text, 0x20ac, characters);
    text[characters - 1] = last;
    text[characters] = 0;
    return text;
}

/* Names that are hard to keep apart, and to show: each is a range, three times. */
static void names(void)
{
    static const char *const hard[] = {
        "{\"key\": \"value\"}",
        "C:\\new\\table.c(3): \\u12",
        "one\ntwo\r\n\tthree",
        "\a\b\x7f\x01",
        "\x1b[2J\x1b]0;title\a",
        "not UTF-8 \xff\xfe \xc3( \xe2\x82 end",
        "not UTF-8 \xfe\xff \xc3( \xe2\x82 end",
        "\xc0\xaf \xed\xa0\x80",
        "\xe8\xae\xad \xd0\xbe \xf0\x9f\x9a\x80 e\xcc\x81",
        "\xe2\x80\xae reversed \xe2\x80\xac \xc2\x9b"
        "31m",
        "'); DROP TABLE ranges; --",
        "%s%n%1000000d",
        ", \"; | = ,",
        "",
        "   ",
        "NULL",
    };

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++) {
            nvtxRangePushA(hard[i]);
            nvtxRangePop();
        }
        for (char last = '1'; last <= '2'; last++) {
            nvtxRangePushA(long_text(65537, last));
            nvtxRangePop();
            nvtxRangePushW(long_wide_text(30000, (wchar_t)last));
            nvtxRangePop();
            nvtxRangePushW(last == '1' ? L"half \xd800" : L"half \xd801");
            nvtxRangePop();
        }
        nvtxRangePushA(NULL);
        nvtxRangePop();
    }
}

/* Long names of all that has one. */
static void long_names(void)
{
    nvtxDomainHandle_t domain[2], empty = nvtxDomainCreateA("");
    nvtxEventAttributes_t e = event(NULL);

    for (int i = 0; i < 2; i++) {
        char last = (char)('1' + i);
        domain[i] = nvtxDomainCreateA(long_text(20000, last));
        nvtxDomainNameCategoryA(domain[i], 5, long_text(20001, last));
        e.category = 5;
        e.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
        e.message.registered = nvtxDomainRegisterStringA(domain[i], long_text(300000, last));
        nvtxDomainMarkEx(domain[i], &e);
        nvtxNameCudaStreamA((cudaStream_t)(uintptr_t)(i + 1), long_text(20002, last));
        nvtxRangeEnd(nvtxRangeStartA(long_text(20003, last)));
        nvtxMarkA(long_text((5u << 20) + 7, last));
    }
    nvtxNameOsThreadA((uint32_t)getpid(), long_text(20004, '1'));
    e.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
    e.message.registered = nvtxDomainRegisterStringA(empty, "");
    nvtxDomainMarkEx(empty, &e);
    if (fork() == 0) { /* domains are known to a child too */
        nvtxDomainMarkEx(domain[1], &e);
        exit(0);
    }
    while (wait(NULL) > 0)
        ;
}

enum { THREADS = 8, EACH = 2000 };

/* Threads that begin to use the same long names at the same time. */
static void *long_main(void *arg)
{
    char *text = (char *)arg;

    for (char last = 'a'; last <= 'z'; last++) {
        char *own = strdup(text);
        if (!own)
            exit(3);
        own[strlen(own) - 1] = last;
        nvtxRangePushA(own);
        nvtxRangePop();
        free(own);
    }
    return NULL;
}

static void long_threads(void)
{
    pthread_t thread[THREADS];
    char *text = strdup(long_text(100000, '1'));

    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, long_main, text);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    free(text);
}

static void open_ranges(void)
{
    nvtxRangePushA("left open");
    nvtxRangePushA("left open too");
    nvtxRangeStartA("started");
}

static void *thread_main(void *arg)
{
    static nvtxRangeId_t handed[THREADS];
    int self = (int)(intptr_t)arg;

    for (int i = 0; i < EACH; i++) {
        char text[32];
        snprintf(text, sizeof(text), "thread %d", self);
        nvtxRangePushA(text);
        nvtxRangePushA("nested");
        nvtxRangePop();
        nvtxRangePop();
    }
    handed[self] = nvtxRangeStartA("handed");
    return &handed[self];
}

/* Ranges in many threads; what each of them starts, this one ends. */
static void threads(void)
{
    pthread_t thread[THREADS];

    for (intptr_t i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, thread_main, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *range;
        pthread_join(thread[i], &range);
        nvtxRangeEnd(*(nvtxRangeId_t *)range);
    }
}

/* A child that goes on as it is, and one that becomes another program. */
static void children(const char *self)
{
    nvtxDomainHandle_t domain = nvtxDomainCreateA("before the fork");
    nvtxEventAttributes_t e = event(NULL);

    e.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
    e.message.registered = nvtxDomainRegisterStringA(domain, "registered before the fork");
    nvtxRangePushA("parent");
    nvtxDomainMarkEx(domain, &e);
    if (fork() == 0) {
        nvtxRangePop(); /* not its own */
        nvtxRangePushA("child");
        nvtxDomainMarkEx(domain, &e);
        nvtxRangePop();
        exit(0);
    }
    while (wait(NULL) > 0)
        ;
    if (fork() == 0) {
        execl(self, self, "open", (char *)NULL);
        _exit(127);
    }
    while (wait(NULL) > 0)
        ;
    nvtxRangePop();
}

/* Forks while other threads are in the middle of calls. */
static volatile sig_atomic_t stop;

static void *busy_main(void *arg)
{
    while (!stop) {
        for (int i = 0; i < 10; i++) {
            nvtxRangePushA("busy");
            nvtxRangePop();
        }
        usleep(100);
    }
    return arg;
}

static void forks(void)
{
    pthread_t thread[3];

    nvtxMarkA("before"); /* NVTX's own initialization does not survive a fork in its middle */
    for (int i = 0; i < 3; i++)
        pthread_create(&thread[i], NULL, busy_main, NULL);
    for (int i = 0; i < 20; i++) {
        if (fork() == 0) {
            nvtxMarkA("forked");
            exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    stop = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
    nvtxMarkA("in a signal handler");
}

/* Signals that come at any moment, each of which marks. */
static void in_signals(void)
{
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};

    nvtxMarkA("before"); /* NVTX's own initialization cannot be interrupted by its user */
    signal(SIGALRM, on_signal);
    setitimer(ITIMER_REAL, &often, NULL);
    while (signals < 200) {
        nvtxRangePushA("interrupted");
        nvtxRangePop();
    }
    setitimer(ITIMER_REAL, &never, NULL);
}

/* Threads that go on while the process exits. */
static void late(void)
{
    pthread_t thread;

    for (int i = 0; i < 4; i++)
        pthread_create(&thread, NULL, busy_main, NULL);
    sched_yield();
}

static void after_exit(void)
{
    nvtxMarkA("in an exit handler");
}

static void push_and_pop(void)
{
    nvtxRangePushA("a range with a name");
    nvtxRangePop();
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *what = argv[i];
        if (!strcmp(what, "all"))
            all();
        else if (!strcmp(what, "odd"))
            odd();
        else if (!strcmp(what, "names"))
            names();
        else if (!strcmp(what, "long"))
            long_names();
        else if (!strcmp(what, "long-threads"))
            long_threads();
        else if (!strcmp(what, "open"))
            open_ranges();
        else if (!strcmp(what, "threads"))
            threads();
        else if (!strcmp(what, "children"))
            children(argv[0]);
        else if (!strcmp(what, "forks"))
            forks();
        else if (!strcmp(what, "signals"))
            in_signals();
        else if (!strcmp(what, "late"))
            late();
        else if (!strcmp(what, "atexit"))
            atexit(after_exit);
        else if (!strcmp(what, "cost"))
            printf("%.1f ns a push and pop\n", cost_of(push_and_pop, 2000));
        else if (!strcmp(what, "kill"))
            raise(SIGKILL);
        else if (!strcmp(what, "leave"))
            _exit(0);
        else if (!strcmp(what, "pause"))
            pause();
        else if (!strcmp(what, "stop"))
            raise(SIGSTOP);
        else
            return 2;
    }
    return 0;
}
