/*
 * Records of PC samples as rows: of an instruction one for each reason for which warps stood at it, of a
 * function and of a time bin one (record.h).
 */
#include "records_parts.h"

#include <string.h>

static int64_t string_or_null(const struct grosr_records *r, uint32_t stream, uint32_t number)
{
    int64_t id = grosr_records_string(r, stream, number);

    return id ? id : GROSR_NULL;
}

static int64_t line_or_null(uint32_t line)
{
    return line ? (int64_t)line : GROSR_NULL;
}

static int add_instruction(struct grosr_records *r, uint32_t stream, const struct grosr_record_cuda_pc *p,
                           const unsigned char *stalls)
{
    int64_t start = grosr_records_place(r, p->start).integer, end = grosr_records_place(r, p->end).integer;
    int64_t name = string_or_null(r, stream, p->name), full = string_or_null(r, stream, p->full_name);
    int64_t file = string_or_null(r, stream, p->file), inlined = string_or_null(r, stream, p->inlined);
    int err = 0;

    for (uint32_t i = 0; !err && i < p->count; i++) {
        struct grosr_record_cuda_stall s;
        memcpy(&s, stalls + i * sizeof(s), sizeof(s));
        int64_t values[] = {start,
                            end,
                            r->bases.session,
                            p->device,
                            p->context,
                            name,
                            full,
                            (int64_t)p->offset,
                            string_or_null(r, stream, s.name),
                            s.samples,
                            s.not_issued,
                            s.memory != 0,
                            file,
                            line_or_null(p->line),
                            inlined};
        err = grosr_store_row(r->store, GROSR_TABLE_PC_SAMPLE, values);
    }
    return err;
}

static int add_function(struct grosr_records *r, uint32_t stream,
                        const struct grosr_record_cuda_pc_function *f)
{
    int64_t values[] = {grosr_records_place(r, f->start).integer,
                        grosr_records_place(r, f->end).integer,
                        r->bases.session,
                        f->device,
                        f->context,
                        string_or_null(r, stream, f->name),
                        string_or_null(r, stream, f->full_name),
                        (int64_t)f->samples,
                        (int64_t)f->low,
                        (int64_t)f->high,
                        (f->flags & GROSR_PC_LOOP) != 0,
                        (f->flags & GROSR_PC_ENDLESS) != 0,
                        (int64_t)f->loop_samples,
                        (int64_t)f->memory_samples,
                        string_or_null(r, stream, f->stall),
                        f->stall_samples,
                        string_or_null(r, stream, f->file),
                        line_or_null(f->first_line),
                        line_or_null(f->last_line)};

    return grosr_store_row(r->store, GROSR_TABLE_PC_FUNCTION, values);
}

static int add_bin(struct grosr_records *r, const struct grosr_record_cuda_pc_bin *b)
{
    int64_t values[] = {grosr_records_place(r, b->start).integer,
                        grosr_records_place(r, b->end).integer,
                        r->bases.session,
                        b->device,
                        b->context,
                        (int64_t)b->samples,
                        (int64_t)b->dropped,
                        (int64_t)b->other,
                        b->full != 0};

    return grosr_store_row(r->store, GROSR_TABLE_PC_BIN, values);
}

int grosr_records_add_pc(struct grosr_records *r, uint32_t stream, const unsigned char *at, uint32_t kind,
                         uint32_t bytes)
{
    union {
        struct grosr_record_cuda_pc pc;
        struct grosr_record_cuda_pc_function function;
        struct grosr_record_cuda_pc_bin bin;
    } is;

    if (kind == GROSR_RECORD_CUDA_PC && GROSR_FIXED(is.pc, at, bytes) &&
        is.pc.count <= (bytes - sizeof(is.pc)) / sizeof(struct grosr_record_cuda_stall))
        return add_instruction(r, stream, &is.pc, at + sizeof(is.pc));
    if (kind == GROSR_RECORD_CUDA_PC_FUNCTION && GROSR_FIXED(is.function, at, bytes))
        return add_function(r, stream, &is.function);
    if (kind == GROSR_RECORD_CUDA_PC_BIN && GROSR_FIXED(is.bin, at, bytes))
        return add_bin(r, &is.bin);
    r->damaged++;
    return 0;
}
