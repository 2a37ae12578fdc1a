/*
 * Writing JSON: commas, nesting and escapes are kept here, so that no caller can get them wrong.
 *
 *     struct json j;
 *     json_begin(&j, stdout);
 *     json_object(&j, NULL);
 *     json_string(&j, "device", "host");
 *     json_array(&j, "queues");
 *     json_object(&j, NULL); ... json_close(&j);
 *     json_close(&j);
 *     json_close(&j);
 *     json_end(&j);          // newline, and whether all of it was written
 *
 * `key` is NULL inside arrays and for the outermost value. Strings are UTF-8; bytes that are not become
 * U+FFFD.
 */
#ifndef GROSR_JSON_H
#define GROSR_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out;
    int depth;
    bool comma;      /* a value has been written at this level */
    char closer[32]; /* what closes each open level */
};

void json_begin(struct json *j, FILE *out);
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_close(struct json *j);                                      /* the innermost open object or array */
void json_string(struct json *j, const char *key, const char *value); /* NULL value: null */
void json_text(struct json *j, const char *key, const char *value, size_t bytes); /* with any NULs in it */
void json_uint(struct json *j, const char *key, uint64_t value);
void json_int(struct json *j, const char *key, int64_t value);
void json_number(struct json *j, const char *key, double value); /* not finite: null */
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

/* 0, or -EIO when the output could not be written. */
int json_end(struct json *j);

#endif
