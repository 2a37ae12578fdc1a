/*
 * Showing a diagnosis (findings.h). Names in it come from other processes and files: what reaches a terminal
 * is printable.
 */
#include "findings.h"

#include "../cli/text.h"

#include <string.h>

/* ---- text ---- */

static const char *color_of(enum grosr_verdict verdict, bool color)
{
    static const char *const colors[] = {
        [GROSR_VERDICT_HEALTHY] = "\033[1;32m",  [GROSR_VERDICT_IDLE] = "\033[1;32m",
        [GROSR_VERDICT_SLOW] = "\033[1;33m",     [GROSR_VERDICT_STALLED] = "\033[1;31m",
        [GROSR_VERDICT_DEADLOCK] = "\033[1;31m",
    };
    return color ? colors[verdict] : "";
}

/* The lines of a text, each after `indent`. */
static void print_lines(FILE *out, const char *indent, const char *text)
{
    char line[1024], shown[2 * sizeof(line)];

    while (*text) {
        size_t length = strcspn(text, "\n"), n = length < sizeof(line) ? length : sizeof(line) - 1;
        memcpy(line, text, n);
        line[n] = 0;
        if (*line)
            fprintf(out, "%s%s\n", indent, text_printable(shown, sizeof(shown), line));
        text += length + (text[length] == '\n');
    }
}

static void print_finding(const struct grosr_finding *f, FILE *out, bool color)
{
    char age[16] = "";

    fprintf(out, "\n%s%s%s", color_of(f->verdict, color), f->kind, color ? "\033[0m" : "");
    if (f->verdict == GROSR_VERDICT_HEALTHY)
        fputs(" (a remark)", out);
    if (f->since_ns)
        fprintf(out, ", for %s", text_duration(age, sizeof(age), (double)f->since_ns));
    fputs(":\n", out);
    print_lines(out, "  ", f->summary);
    print_lines(out, "    - ", f->evidence);
    if (*f->advice) {
        fputs("  What to do:\n", out);
        print_lines(out, "    ", f->advice);
    }
}

void findings_print(const struct grosr_findings *findings, FILE *out, bool color)
{
    fprintf(out, "%s%s%s%s", color_of(findings->verdict, color), grosr_verdict_name(findings->verdict),
            color ? "\033[0m" : "", findings->source ? ": " : "");
    findings_print_remarks(findings, out, color);
}

void findings_print_remarks(const struct grosr_findings *findings, FILE *out, bool color)
{
    char shown[1024];

    fprintf(out, "%s\n", findings->source ? text_printable(shown, sizeof(shown), findings->source) : "");
    for (uint32_t i = 0; i < findings->findings; i++)
        print_finding(&findings->finding[i], out, color);
    if (findings->state && *findings->state) {
        fputc('\n', out);
        print_lines(out, "", findings->state);
    }
}

/* ---- JSON ---- */

static void write_names(struct json *j, const char *key, char *const *name, uint32_t names)
{
    json_array(j, key);
    for (uint32_t i = 0; i < names; i++)
        json_string(j, NULL, name[i]);
    json_close(j);
}

static void write_lines(struct json *j, const char *key, const char *text)
{
    json_array(j, key);
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length)
            json_text(j, NULL, text, length);
        text += length + (text[length] == '\n');
    }
    json_close(j);
}

static void write_finding(struct json *j, const struct grosr_finding *f)
{
    json_object(j, NULL);
    json_string(j, "kind", f->kind);
    json_string(j, "verdict", grosr_verdict_name(f->verdict));
    json_string(j, "summary", f->summary);
    write_names(j, "workers", f->worker, f->workers);
    write_names(j, "resources", f->resource, f->resources);
    write_names(j, "cycle", f->cycle, f->cycles);
    if (f->since_ns)
        json_uint(j, "since_ns", f->since_ns);
    else
        json_null(j, "since_ns");
    write_lines(j, "evidence", f->evidence);
    json_string(j, "advice", f->advice);
    json_close(j);
}

void findings_write_json(const struct grosr_findings *findings, FILE *out)
{
    struct json j;

    json_begin(&j, out);
    json_object(&j, NULL);
    json_string(&j, "verdict", grosr_verdict_name(findings->verdict));
    json_string(&j, "source", findings->source);
    json_string(&j, "state", findings->state);
    json_uint(&j, "threshold_ns", findings->threshold_ns);
    json_array(&j, "findings");
    for (uint32_t i = 0; i < findings->findings; i++)
        write_finding(&j, &findings->finding[i]);
    json_close(&j);
    json_close(&j);
    json_end(&j);
}
