/*
 * Core dumps of GPUs for tests of the command, made up by coredump_writer.h: coredump WHAT FILE. As WHAT
 * `driver` it plays the driver of a program that is armed for a core dump: it waits at the pipe that the
 * environment names, and when a byte comes it writes a dump, part by part, to the file that the environment
 * names. As `quits` it ends instead; as `locked` it has a session whose worker 1 waits for a lock that the
 * dump's warps poll.
 */
#include "../../tracer/base/error.h"
#include "../../tracer/session/session.h"
#include "../coredump_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WARPS 1056u
#define LOCK  UINT64_C(0x7f3000012340)

static struct bytes make(const char *what)
{
    static unsigned at[WARPS];
    uint32_t warps = 4, blocks = 16, count = 4;

    for (unsigned i = 0; i < WARPS; i++)
        at[i] = IMAGE_GRID_SYNC;
    if (!strcmp(what, "late")) {
        at[500] = 0;
        warps = 8;
        blocks = 132;
        count = WARPS;
    } else if (!strcmp(what, "spread")) {
        at[0] = 0;
        at[1] = IMAGE_BARRIER;
        at[2] = 52;
    }
    return dump_simple(blocks, warps, at, count);
}

/* Two warps that poll the word at 0x40 behind the kernel's first argument, and a third that has the address
 * of a variable. */
static struct bytes make_registers(void)
{
    static const uint64_t arguments[2] = {LOCK - 0x40, 3};
    struct dump d = {.timestamp = (uint32_t)time(NULL)};
    uint32_t device = dump_device(&d, "GPU");
    uint32_t image = dump_image(&d, device, image_make(IMAGE_ADDRESS, 1));
    uint32_t grid = dump_grid(&d, device, image, IMAGE_ADDRESS, 3, 32), sm = dump_sm(&d, device, 5);

    dump_arguments(&d, grid, arguments, sizeof(arguments));
    for (uint32_t block = 0; block < 3; block++) {
        dump_whole_warp(&d, dump_block(&d, sm, grid, block), block, block < 2 ? IMAGE_POLL : 4);
        for (uint32_t lane = 0; lane < 32; lane++) {
            dump_register_pair(&d, DUMP_LANE, 32 * block + lane, 42);
            dump_register_pair(&d, DUMP_LANE, 32 * block + lane, block < 2 ? arguments[0] : IMAGE_FLAG);
        }
    }
    return dump_finish(&d);
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* A warp at an offset of a real kernel, whose image is not relocated: functions begin at 0. Its first
 * argument is in all of its registers. */
static struct bytes make_of_cubin(const char *path, uint64_t offset)
{
    struct dump d = {0};
    struct bytes image = {0};
    char part[4096];
    size_t n;
    FILE *f = fopen(path, "rb");

    if (!f)
        fail(path);
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        bytes_add(&image, part, n);
    fclose(f);
    uint32_t device = dump_device(&d, "GPU");
    uint32_t grid = dump_grid(&d, device, dump_image(&d, device, image), 0, 4, 32);
    uint32_t warp = dump_warp(&d, dump_block(&d, dump_sm(&d, device, 0), grid, 0), 0, 1, 1);
    uint32_t lane = dump_lane(&d, warp, 0, 0, offset);
    dump_arguments(&d, grid, (const uint64_t[3]){LOCK - 0x40, 0, 0}, 24);
    for (unsigned i = 0; i < 128; i++)
        dump_register_pair(&d, DUMP_LANE, lane, LOCK - 0x40);
    return dump_finish(&d);
}

static void save(const char *path, struct bytes file, unsigned pause_us)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0)
        fail(path);
    for (size_t at = 0; at < file.size;) {
        size_t part = file.size - at < 20000 ? file.size - at : 20000;
        if (write(fd, file.at + at, part) != (ssize_t)part)
            fail(path);
        at += part;
        if (pause_us)
            usleep(pause_us);
    }
    if (close(fd))
        fail(path);
}

/* "%p" in a name is the process, as the driver has it. */
static void expand(const char *name, char *path, size_t size)
{
    const char *p = strstr(name, "%p");

    if (p)
        snprintf(path, size, "%.*s%d%s", (int)(p - name), name, (int)getpid(), p + 2);
    else
        snprintf(path, size, "%s", name);
}

/* Worker 1 of a GPU's waits for the lock `journal 0`, which worker 3 has had for 2 s. */
static void host_session(void)
{
    const struct grosr_session_options o = {.device = "cuda",
                                            .device_name = "GPU",
                                            .program = "locked",
                                            .sms = 1,
                                            .max_warps_per_sm = 64,
                                            .lanes = 32,
                                            .workers = 4,
                                            .ring_events = 64,
                                            .host_ring_events = 64,
                                            .level = GROSR_LEVEL_SPANS,
                                            .names = 1};
    const struct grosr_pair state = grosr_event_pack(UINT64_C(1) << GROSR_LAP_SHIFT, GROSR_EV_WAIT_BEGIN,
                                                     5000, grosr_payload_resource(0, 0));
    struct grosr_session *s;

    if (grosr_session_create(&s, &o) || grosr_session_add_name(s, GROSR_NAME_USER, 0, "journal", NULL)) {
        fprintf(stderr, "coredump: %s\n", grosr_error());
        exit(1);
    }
    struct grosr_wait_entry *e = grosr_session_wait(s, 1);
    sys_store_relaxed(&e->stated,
                      (uint64_t)GROSR_WAIT_LOCK << GROSR_WAIT_KIND_SHIFT | GROSR_WAIT_WIDE | 5000u);
    sys_store_relaxed(&e->address, LOCK);
    sys_store_relaxed(&e->seen, UINT64_C(4) << GROSR_LOCK_HOLDER_SHIFT | 1000);
    sys_store_relaxed(&e->updated, UINT64_C(2000001000));
    sys_store_relaxed(&e->sequence, UINT64_C(2));
    sys_store_pair_relaxed(&grosr_session_worker(s, 1)->state, state.lo, state.hi);
}

static int play_driver(const char *what)
{
    const char *armed = getenv("CUDA_ENABLE_USER_TRIGGERED_COREDUMP"),
               *pipe_name = getenv("CUDA_COREDUMP_PIPE");
    const char *file_name = getenv("CUDA_COREDUMP_FILE"), *flags = getenv("CUDA_COREDUMP_GENERATION_FLAGS");
    char pipe_path[1024], file_path[1024], byte;

    if (!armed || strcmp(armed, "1") != 0 || !pipe_name || !file_name || !flags) {
        fprintf(stderr, "not armed\n");
        return 1;
    }
    expand(pipe_name, pipe_path, sizeof(pipe_path));
    expand(file_name, file_path, sizeof(file_path));
    if (!strcmp(what, "locked"))
        host_session();
    alarm(60);
    if (mkfifo(pipe_path, 0600) && errno != EEXIST)
        fail(pipe_path);
    int fd = open(pipe_path, O_RDWR);
    if (fd < 0)
        fail(pipe_path);
    printf("armed %d %s\n", (int)getpid(), getenv("CUDA_INJECTION64_PATH") ? "injected" : "alone");
    fflush(stdout);
    for (;;) {
        if (read(fd, &byte, 1) != 1)
            fail(pipe_path);
        if (!strcmp(what, "quits"))
            return 1;
        save(file_path, !strcmp(what, "locked") ? make_registers() : make("late"), 20000);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return play_driver(argv[1]);
    if (argc == 5 && !strcmp(argv[1], "cubin")) {
        save(argv[4], make_of_cubin(argv[2], strtoull(argv[3], NULL, 0)), 0);
        return 0;
    }
    if (argc != 3) {
        fprintf(stderr,
                "usage: coredump gridsync|late|spread|registers FILE, coredump cubin CUBIN OFFSET FILE, or "
                "coredump driver|quits\n");
        return 2;
    }
    save(argv[2], strcmp(argv[1], "registers") != 0 ? make(argv[1]) : make_registers(), 0);
    return 0;
}
