# GROSR. `make help` lists what can be made.
#
# One makefile for the whole tree. Objects of each variant go to build/VARIANT; the CUDA toolkit is found through
# CUDA_HOME, nvcc on PATH or /usr/local/cuda, and without one the build is host-only.

VARIANT ?= release
LANES   ?= 1
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
CXX     ?= c++
V       ?= 0

comma := ,
empty :=
B := build/$(VARIANT)$(if $(filter-out 1,$(LANES)),-lanes$(LANES))
Q := $(if $(filter 0,$(V)),@)
say = $(if $(filter 0,$(V)),@printf '  %-8s %s\n' $(1) $(2))

# ---- tools and libraries ----

CUDA_HOME ?= $(patsubst %/bin/nvcc,%,$(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard /usr/local/cuda/bin/nvcc)))
NVCC      := $(if $(CUDA_HOME),$(wildcard $(CUDA_HOME)/bin/nvcc))
# Machine code runs on later GPUs of the same major version: that for 80 on 86, 87 and 89 too.
CUDA_ARCHS ?= 75 80 90
CUDA_PTX   ?= 90

# A report of a sanitizer names functions and lines; more debug information would be a third of the work of compiling.
VARIANT_release := -O2 $(if $(filter 1,$(LANES)),-g,-g1)
VARIANT_debug   := -O0 -g3
VARIANT_asan    := -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
VARIANT_tsan    := -O1 -g1 -fsanitize=thread -fno-omit-frame-pointer
VARIANT_cov     := -O0 -g --coverage
ifeq ($(origin VARIANT_$(VARIANT)),undefined)
$(error there is no VARIANT '$(VARIANT)': release, debug, asan, tsan, cov)
endif

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wc++-compat -Werror
CPPFLAGS += -D_GNU_SOURCE -DGROSR_HOST_LANES=$(LANES)
CFLAGS   += -std=c17 $(VARIANT_$(VARIANT)) -fPIC -pthread
LDFLAGS  += $(filter -fsanitize% --coverage,$(VARIANT_$(VARIANT))) -pthread
LDLIBS_TRACER := -lsqlite3 -llz4 -ldl -lm
LDLIBS_VIEWER := -lncursesw -ltinfo

# ---- sources ----

# Files that need the toolkit or NVTX's header in it, and what stands in for them without.
NVTX_H    := $(if $(CUDA_HOME),$(wildcard $(CUDA_HOME)/include/nvtx3/nvToolsExt.h))
CUDA_C    := tracer/nvidia/cuda_driver.c tracer/instrument/trace_cuda.c runtime/device/device_cuda.c \
             $(wildcard runtime/bench/*_cuda.c) runtime/workload/workload_calls_cuda.c
CUDA_NONE := tracer/instrument/trace_cuda_none.c runtime/device/device_cuda_none.c runtime/bench/bench_cuda_none.c \
             runtime/workload/workload_calls_none.c
NVTX_C    := runtime/host/marks_nvtx.c
NVTX_NONE := runtime/host/marks_none.c
# CUPTI's profiler, whose header is C++'s.
PM_H      := $(if $(CUDA_HOME),$(firstword $(wildcard \
             $(addprefix $(CUDA_HOME)/,$(addsuffix /cupti_pmsampling.h,include extras/CUPTI/include)))))
PM_CPP    := tracer/nvidia/pm_sampling.cpp
PM_NONE   := tracer/nvidia/pm_sampling_none.c
# Libraries of Debian's that are used where they are: io_uring for file I/O, seccomp for the sandbox, libdw,
# which is loaded at run time, for stacks.
has_header = $(shell printf '\043include <%s>\n' $1 | $(CC) -E -x c - -o /dev/null 2>/dev/null && echo yes)
URING_H   := $(call has_header,liburing.h)
SECCOMP_H := $(call has_header,seccomp.h)
DW_H      := $(call has_header,elfutils/libdwfl.h)
DW_C      := tracer/process/host_stack_dw.c
DW_NONE   := tracer/process/host_stack_none.c
URING_C   := runtime/syscall/proxy_uring.c
URING_NONE := runtime/syscall/proxy_uring_none.c
SECCOMP_C := runtime/syscall/sandbox_seccomp.c
SECCOMP_NONE := runtime/syscall/sandbox_none.c
LDLIBS_TRACER += $(if $(URING_H),-luring) $(if $(SECCOMP_H),-lseccomp)
# The sources in these folders; of those that stand in for each other, the ones chosen above.
sources = $(filter-out $(CHOSEN),$(wildcard $(addsuffix /*.c,$1))) \
          $(foreach f,$(CHOICE),$(if $(filter $1,$(patsubst %/,%,$(dir $f))),$f))
CHOSEN    := $(CUDA_C) $(CUDA_NONE) $(NVTX_C) $(NVTX_NONE) $(PM_NONE) $(URING_C) $(URING_NONE) $(SECCOMP_C) $(SECCOMP_NONE) \
             $(DW_C) $(DW_NONE)
CHOICE    := $(if $(NVCC),$(CUDA_C),$(CUDA_NONE)) $(if $(NVTX_H),$(NVTX_C),$(NVTX_NONE)) $(if $(PM_H),,$(PM_NONE)) \
             $(if $(URING_H),$(URING_C),$(URING_NONE)) $(if $(SECCOMP_H),$(SECCOMP_C),$(SECCOMP_NONE)) \
             $(if $(DW_H),$(DW_C),$(DW_NONE))
# A user's program links the library; benchmarks and workloads are the command's own.
TRACER    := $(call sources,tracer $(filter-out tracer/inject tracer/example,$(patsubst %/,%,$(wildcard tracer/*/))))
COMMANDS  := runtime/workload runtime/bench
COMMANDS_C := $(call sources,$(COMMANDS))
RUNTIME   := $(call sources,runtime $(filter-out $(COMMANDS) runtime/example,$(patsubst %/,%,$(wildcard runtime/*/))))
LIBRARY   := $(TRACER) $(RUNTIME)
# The library that is injected into traced programs.
CUPTI_H := $(if $(CUDA_HOME),$(firstword $(wildcard $(CUDA_HOME)/include/cupti.h $(CUDA_HOME)/extras/CUPTI/include/cupti.h)))
INJECT_NVTX := tracer/inject/inject.c tracer/inject/nvtx.c
INJECT  := $(if $(NVTX_H),$(INJECT_NVTX) $(if $(CUPTI_H),$(filter-out $(INJECT_NVTX),$(wildcard tracer/inject/*.c))))
VIEWER  := $(filter-out $(if $(INJECT),viewer/record/inject_none.c,viewer/record/inject.c),$(wildcard viewer/*.c viewer/*/*.c))
TESTS_C := $(wildcard tests/unit/*.c tests/stress/*.c)
TESTS_CUDA_C := $(wildcard tests/cuda/*.c)
FUZZED  := segment chunk records trace coredump
# What a fuzzed function takes from the viewer.
FUZZED_trace := $(addprefix viewer/,show/query.c show/table.c cli/text.c show/json.c cli/output.c)

FATBINS := $(patsubst %,build/cuda/%.fatbin,clock kernel kernel_services kernel_calls kernel_stalls bench)
FATBIN_OBJECTS := $(FATBINS:build/cuda/%.fatbin=$B/cuda/%_fatbin.o)
BENCH_FATBIN := $B/cuda/bench_fatbin.o
# Device code comes first: it takes longest.
LIB_OBJECTS := $(if $(NVCC),$(filter-out $(BENCH_FATBIN),$(FATBIN_OBJECTS))) $(LIBRARY:%.c=$B/%.o) \
               $(if $(PM_H),$(PM_CPP:%.cpp=$B/%.o)) $B/schema/schema.o
COMMAND_OBJECTS := $(if $(NVCC),$(BENCH_FATBIN)) $(COMMANDS_C:%.c=$B/%.o)
VIEWER_OBJECTS := $(VIEWER:%.c=$B/%.o) $B/viewer/plot_script.o
TEST_PROGRAMS := $(TESTS_C:%.c=$B/%) $(TESTS_CUDA_C:%.c=$B/%) $(FUZZED:%=$B/tests/fuzz/%)
# The folders whose programs tests/run runs in a variant; it says of what is missing that it has not been built.
TESTED_release := unit stress cuda
TESTED_asan    := unit stress fuzz
TESTED_tsan    := stress
TESTED := $(if $(filter-out 1,$(LANES)),stress,$(or $(TESTED_$(VARIANT)),unit stress cuda fuzz))
INJECT_OBJECTS := $(INJECT:%.c=$B/%.o)
ON_DOUBLE := $(addprefix $B/tests/traced/,cuda hang stuck_calls pc)
TRACED_PROGRAMS := $(if $(NVTX_H),$B/tests/traced/nvtx) $(if $(CUPTI_H),$(ON_DOUBLE)) \
                   $(addprefix $B/tests/traced/,libnvidia-ml.so.1 sessions heap stuck_workers coredump) \
                   $(if $(PM_H),$B/tests/traced/pm/libcuda.so.1)
MAN := $B/man/grosr.1 $B/man/grosr-diagnose.1 $B/man/grosr-schema.5

.DELETE_ON_ERROR:
.SECONDARY: $B/man/grosr-schema.5.scd $B/man/grosr-diagnose.1.scd
.PHONY: print-libs all demo check checked bench install uninstall dist clean help deps programs tests stress man fuzz

all: programs $(if $(shell command -v scdoc 2>/dev/null),man)
	$(if $(NVCC),,@echo 'no CUDA toolkit found (CUDA_HOME, nvcc on PATH, /usr/local/cuda): host device only')

programs: $B/grosr $B/libgrosr.a $(if $(INJECT),$B/libgrosr-inject.so)

# What programs link with libgrosr.a.
print-libs:
	@echo '$(LDLIBS_TRACER)'

help:
	@echo 'make               build the command, the library and the manual (VARIANT=release|debug|asan|tsan|cov)'
	@echo 'make demo          install what is missing, build, run a traced workload, look at it'
	@echo 'make check         install what is missing, build and pass every test'
	@echo "make bench         what tracing costs on this machine (BENCH='DEVICE TASKS REPETITIONS'), and every experiment;"
	@echo '                   PLOT=1: as JSON, SVG and PNG in build/bench'
	@echo 'make fuzz          FUZZ=$(firstword $(FUZZED)) SECONDS=600: fuzz what reads bytes from elsewhere (clang, libFuzzer)'
	@echo 'make install       to PREFIX ($(PREFIX)), under DESTDIR; make uninstall'
	@echo 'make dist          a source archive'
	@echo 'make deps          install missing packages (Debian, Ubuntu), or print the line that does'
	@echo 'make clean'

# ---- compiling ----

$B/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) $(WARNINGS) \
	    $(if $(filter $(CUDA_C) $(NVTX_C) $(INJECT),$<),$(addprefix -isystem ,$(CUDA_HOME)/include $(dir $(CUPTI_H)))) \
	    -MMD -MP -c -o $@ $<

# C++ without its library: what is linked with the C compiler.
$B/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$Q$(CXX) $(CPPFLAGS) -std=c++17 -fno-exceptions -fno-rtti $(VARIANT_$(VARIANT)) -fno-sanitize=vptr -fPIC -pthread \
	    -Wall -Wextra -Wshadow -Werror $(addprefix -isystem ,$(CUDA_HOME)/include $(dir $(PM_H))) -MMD -MP -c -o $@ $<

$B/schema/schema.c: schema/embed.sh $(wildcard schema/*.sql schema/queries/*.sql schema/diagnose/*.sql)
	@mkdir -p $(@D)
	$(call say,SQL,$@)
	$Qsh schema/embed.sh >$@

$B/schema/schema.o: $B/schema/schema.c
	$(call say,CC,$<)
	$Q$(CC) -Ischema $(CPPFLAGS) $(CFLAGS) $(WARNINGS) -MMD -MP -c -o $@ $<

$B/viewer/plot_script.c: viewer/show/embed.sh tests/bench/plot.py
	@mkdir -p $(@D)
	$(call say,EMBED,$@)
	$Qsh viewer/show/embed.sh tests/bench/plot.py grosr_plot_script plot.h >$@

$B/viewer/plot_script.o: $B/viewer/plot_script.c
	$(call say,CC,$<)
	$Q$(CC) -Iviewer/show $(CPPFLAGS) $(CFLAGS) $(WARNINGS) -MMD -MP -c -o $@ $<

# Fatbins are the same in every variant. Where registers are spilled, the build fails, but where kernels call the allocator:
# beside the scheduler, whose registers are saved around those calls, and where they are to leave room for more warps.
SPILLS := $(addprefix build/cuda/,kernel_services.fatbin kernel_stalls.fatbin bench.fatbin)
vpath %.cu $(sort $(dir $(filter-out %/example/,$(wildcard tracer/*.cu tracer/*/*.cu runtime/*.cu runtime/*/*.cu))))
$(FATBINS): build/cuda/%.fatbin: %.cu Makefile
	@mkdir -p $(@D)
	$(call say,NVCC,$<)
	$Q$(NVCC) -std=c++17 -O3 -fatbin --threads 2 -lineinfo $(if $(filter $(SPILLS),$@),,-Xptxas -warn-spills) -Werror all-warnings \
	    $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$a$(comma)code=sm_$a) \
	    $(foreach a,$(CUDA_PTX),-gencode arch=compute_$a$(comma)code=compute_$a) -o $@ $<
	$Q$(NVCC) -std=c++17 -M -MP -MT $@ -o $(@:.fatbin=.d) $<

$(FATBIN_OBJECTS): $B/cuda/%_fatbin.o: build/cuda/%.fatbin tracer/port/fatbin.S
	@mkdir -p $(@D)
	$(call say,AS,$@)
	$Q$(CC) -c -DFATBIN_SYMBOL=grosr_$*_fatbin -DFATBIN_PATH='"$<"' -o $@ tracer/port/fatbin.S

$B/libgrosr.a: $(LIB_OBJECTS)
	$(call say,AR,$@)
	$Qrm -f $@ && $(AR) rcs $@ $^

# Tests start the command under ASan thousands of times. Without relocations it starts in four fifths of the time.
$B/grosr: $(VIEWER_OBJECTS) $(COMMAND_OBJECTS) $B/libgrosr.a
	$(call say,LINK,$@)
	$Q$(CC) $(LDFLAGS) $(if $(filter asan,$(VARIANT)),-no-pie) -o $@ $^ $(LDLIBS_TRACER) $(LDLIBS_VIEWER)

# Once loaded it stays: NVTX has pointers into it.
$B/libgrosr-inject.so: $(INJECT_OBJECTS) $B/libgrosr.a tracer/inject/exports.map
	$(call say,LINK,$@)
	$Q$(CC) -shared $(LDFLAGS) -Wl,-z,nodelete -Wl,--version-script=tracer/inject/exports.map -o $@ \
	    $(INJECT_OBJECTS) $B/libgrosr.a -ldl -lm

# ---- the manual ----

man: $(MAN)

$B/man/grosr-schema.5.scd: schema/man_tables.sh schema/grosr-schema.5.scd.in schema/events.def \
    $(wildcard schema/*.sql schema/queries/*.sql)
	@mkdir -p $(@D)
	$Qsh schema/man_tables.sh >$@

$B/man/grosr-diagnose.1.scd: viewer/man_findings.sh viewer/grosr-diagnose.1.scd.in tracer/findings/findings.def
	@mkdir -p $(@D)
	$Qsh viewer/man_findings.sh >$@

$B/man/grosr.1: viewer/grosr.1.scd
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$Qscdoc <$< >$@

$B/man/%: $B/man/%.scd
	$(call say,MAN,$@)
	$Qscdoc <$< >$@

# ---- tests ----

# Unit tests may test the command's parts, GPU tests take the benchmarks' kernels. Stress tests need the library alone,
# without the parts below that none of them reaches, and that is all that is built where nothing else is tested. Of each
# archive, a test is linked with what it needs.
UNIT_OBJECTS := $(filter-out %/main.o,$(VIEWER_OBJECTS)) $(COMMAND_OBJECTS)
STRESS_OBJECTS := $(filter-out $(addprefix $B/,tracer/export/% tracer/base/demangle% tracer/nvidia/cubin% tracer/nvidia/elf_file% \
                    $(addprefix tracer/,coredump/% process/host_stack% process/process.o diagnose/live%) \
                    $(addprefix runtime/builtin/built_in_,services% stalls%) $(addprefix cuda/kernel_,services% stalls%)),$(LIB_OBJECTS))
$B/tests/libcommand.a: $(UNIT_OBJECTS)
$B/tests/libstress.a: $(STRESS_OBJECTS)
$B/tests/libcommand.a $B/tests/libstress.a:
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$Qrm -f $@ && $(AR) rcs $@ $^

# Under ASan a unit test itself takes longer to compile than to run; what it tests, outside of headers, is compiled as it was.
$B/tests/unit/%: CFLAGS_TEST := $(if $(filter asan,$(VARIANT)),-O0)
$B/tests/unit/%: LDLIBS_TEST := $(LDLIBS_VIEWER)
$(filter $B/tests/unit/% $B/tests/cuda/%,$(TEST_PROGRAMS)): $B/tests/libcommand.a

$B/tests/%: tests/%.c $B/libgrosr.a Makefile
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_TEST) $(WARNINGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(filter %/libcommand.a,$^) \
	    $B/libgrosr.a $(LDLIBS_TRACER) $(LDLIBS_TEST)

$B/tests/stress/%: tests/stress/%.c $B/tests/libstress.a Makefile
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) $(WARNINGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $B/tests/libstress.a $(LDLIBS_TRACER)

# A fuzzed function with the inputs that were kept.
$B/tests/fuzz/trace: $(FUZZED_trace:%.c=$B/%.o)
$B/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $B/libgrosr.a Makefile
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) $(WARNINGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< tests/fuzz/replay.c \
	    $(FUZZED_$*:%.c=$B/%.o) $B/libgrosr.a $(LDLIBS_TRACER)

# Programs that tests trace. They know nothing of GROSR.
$B/tests/traced/%: tests/traced/%.c Makefile
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) $(WARNINGS) $(LDFLAGS) -isystem $(CUDA_HOME)/include -MMD -MP -MF $@.d -o $@ $< -ldl

# These host sessions.
$(addprefix $B/tests/traced/,sessions heap stuck_workers coredump): $B/tests/traced/%: tests/traced/%.c $B/libgrosr.a Makefile
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) $(WARNINGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $B/libgrosr.a $(LDLIBS_TRACER)

# One of them has a double of the NVIDIA driver and CUPTI, which is found by the driver's name.
CUPTI_DOUBLE := tests/traced/double/libcuda.so.1
# CUPTI's names of calls by their ids, which the double has from CUPTI's headers.
$B/tests/traced/double/%_calls.h: $(dir $(CUPTI_H))cupti_%_cbid.h Makefile
	@mkdir -p $(@D)
	$Qsed -nE 's/^ *(CUPTI_[A-Z]+_TRACE_CBID_(_*cu[A-Za-z0-9_]+)) .*/[\1] = "\2",/p' $< > $@

CUPTI_DOUBLE_C := $(addprefix tests/traced/,cupti_double.c double_device.c double_driver.c double_pc.c double_words.c double_calls.c)
$B/$(CUPTI_DOUBLE): $(CUPTI_DOUBLE_C) $(wildcard tests/traced/*double*.h) tests/coredump_writer.h \
                    $(patsubst %,$B/tests/traced/double/%_calls.h,driver runtime) Makefile
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) $(WARNINGS) -shared $(LDFLAGS) -isystem $(CUDA_HOME)/include -I$(@D) \
	    -Wl,-soname,libcuda.so.1 -o $@ $(CUPTI_DOUBLE_C) -ldl

$(ON_DOUBLE): $B/tests/traced/%: tests/traced/%.c $(wildcard tests/traced/*.h) $B/$(CUPTI_DOUBLE) Makefile
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) $(WARNINGS) $(LDFLAGS) -isystem $(CUDA_HOME)/include -o $@ $< $B/$(CUPTI_DOUBLE) -Wl,-rpath,'$$ORIGIN/double'

# What stands in for NVML in tests.
$B/tests/traced/libnvidia-ml.so.1: tests/traced/nvml.c Makefile
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) $(WARNINGS) -shared $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $<

# What stands in for CUPTI's PM sampling, and for the driver below it.
$B/tests/traced/pm/libcuda.so.1: $B/tests/traced/pm.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$Q$(CC) -shared $(LDFLAGS) -o $@ $<

stress: $(filter $B/tests/stress/%,$(TEST_PROGRAMS))
tests: $(filter $(addsuffix /%,$(addprefix $B/tests/,$(TESTED))),$(TEST_PROGRAMS)) \
       $(if $(filter unit,$(TESTED)),$(TRACED_PROGRAMS))

# Everything: the release build; the command and the library's tests under ASan; the stress tests under TSan, one lane a
# warp and four, and with 32 lanes. All are built at once, with as many jobs as there are processors unless make has been
# told; device code, which they share, is built once, beside the release build.
CHECKED := asan-1 tsan-1 tsan-4 release-32
check: deps
	+$Q$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) checked
	$Qtests/run
checked: $(if $(NVCC),$(FATBINS)) all tests $(addprefix checked-,$(CHECKED))
.PHONY: $(addprefix checked-,$(CHECKED))
$(addprefix checked-,$(CHECKED)): checked-%: | $(if $(NVCC),$(FATBINS))
	+$Q$(MAKE) --no-print-directory VARIANT=$(word 1,$(subst -, ,$*)) LANES=$(word 2,$(subst -, ,$*)) \
	    $(if $(filter asan-%,$*),programs) tests

# What libFuzzer learns goes to build/fuzz, and from there, made small, to the inputs that are kept.
FUZZ    ?= $(FUZZED)
SECONDS ?= 600
CLANG   ?= $(firstword $(shell command -v clang clang-14 clang-15 clang-16 2>/dev/null) clang)
fuzz: $B/schema/schema.c
	$(foreach f,$(FUZZ),$(call fuzz,$f) &&) true
define fuzz
mkdir -p build/fuzz/$1 && \
	$(CLANG) $(CPPFLAGS) -std=c17 -g -O1 -pthread -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Ischema \
	    -o build/fuzz/fuzz-$1 tests/fuzz/$1.c $(FUZZED_$1) $(filter-out $(CUDA_C),$(TRACER)) $B/schema/schema.c \
	    $(LDLIBS_TRACER) && \
	build/fuzz/fuzz-$1 -max_total_time=$(SECONDS) -max_len=65536 -timeout=20 -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/$1- build/fuzz/$1 tests/fuzz/corpus/$1 && \
	tests/fuzz/keep.pl build/fuzz/fuzz-$1 tests/fuzz/corpus/$1 build/fuzz/$1
endef

bench: programs
	$Qtests/bench/arith.pl $B/grosr $(BENCH)
	$Qsh tests/bench/all.sh $B/grosr build/bench '$(PLOT)' $(firstword $(BENCH))

# ---- the rest ----

DEMO := build/demo.db
demo: deps
	$Q$(MAKE) --no-print-directory programs
	$Qsh tests/demo.sh $B/grosr $(DEMO)

deps:
	$Qsh tests/deps.sh

# What programs include: the host API, and the device code that their task functions are compiled with.
HEADERS := runtime/grosr.h runtime/tasks.h $(wildcard runtime/kernel/*.h runtime/alloc/*.h) \
           $(addprefix runtime/syscall/,mailbox.h exchange.h log_device.h syscall_device.h) \
           $(addprefix tracer/,base/error.h port/device.h port/device_cuda.h port/device_host.h \
             clock/clock_answer.h session/emit.h session/event.h session/gpu.h session/heap_counters.h \
             session/lane_wait.h session/recorder.h session/session.h \
             instrument/grosr_trace.h instrument/trace_device.h instrument/trace_disabled.h \
             $(addprefix instrument/trace_,wait.h wait_loops.h wait_report.h)) schema/events.def
# <grosr/trace.h> for tracer/instrument/grosr_trace.h, and so on.
ENTRANCES := grosr:runtime/grosr.h alloc:runtime/alloc/alloc.h task:runtime/kernel/task_heap.h \
             program:runtime/kernel/program.h trace:tracer/instrument/grosr_trace.h
EXAMPLE := $(addprefix runtime/example/,README.md Makefile words.c)
EXAMPLE_TRACE := $(addprefix tracer/example/,README.md Makefile pipe.cu)
VERSION := $(shell sed -n 's/^\#define GROSR_VERSION *"\(.*\)"/\1/p' tracer/base/version.h)
INSTALLED = $(DESTDIR)$(PREFIX)

install: all
	install -d $(addprefix $(INSTALLED)/,bin lib/pkgconfig share/man/man1 share/man/man5 \
	    include/grosr share/doc/grosr/example share/doc/grosr/example-trace)
	install -m 755 $B/grosr $(INSTALLED)/bin/grosr
	install -m 644 $B/libgrosr.a $(INSTALLED)/lib/libgrosr.a
	$(if $(INJECT),install -D -m 755 $B/libgrosr-inject.so $(INSTALLED)/lib/grosr/libgrosr-inject.so)
	for h in $(HEADERS); do install -D -m 644 $$h $(INSTALLED)/include/grosr/$$h || exit 1; done
	for h in $(ENTRANCES); do \
	    printf '#include "%s"\n' $${h#*:} >$(INSTALLED)/include/grosr/$${h%%:*}.h || exit 1; done
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@LIBS@|$(LDLIBS_TRACER)|' runtime/grosr.pc.in \
	    >$(INSTALLED)/lib/pkgconfig/grosr.pc
	install -m 644 $(EXAMPLE) $(INSTALLED)/share/doc/grosr/example
	install -m 644 $(EXAMPLE_TRACE) $(INSTALLED)/share/doc/grosr/example-trace
	if test -f $B/man/grosr.1; then \
	    install -m 644 $B/man/grosr.1 $B/man/grosr-diagnose.1 $(INSTALLED)/share/man/man1 && \
	    install -m 644 $B/man/grosr-schema.5 $(INSTALLED)/share/man/man5; fi

uninstall:
	rm -f $(addprefix $(INSTALLED)/,bin/grosr lib/libgrosr.a lib/pkgconfig/grosr.pc share/man/man1/grosr.1 share/man/man1/grosr-diagnose.1 \
	    share/man/man5/grosr-schema.5)
	rm -rf $(INSTALLED)/include/grosr $(INSTALLED)/share/doc/grosr $(INSTALLED)/lib/grosr

dist:
	@mkdir -p build
	git archive --format=tar.gz --prefix=grosr/ -o build/grosr.tar.gz HEAD

clean:
	rm -rf build

-include $(wildcard $(shell test -d $B && find $B -name '*.d')) $(FATBINS:.fatbin=.d)
