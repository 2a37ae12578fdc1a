/* JSON comes out well-formed whatever goes in. tests/cli checks whole documents with a parser of its own. */
#include "../tap.h"

#include "../../viewer/show/json.h"

#include <errno.h>
#include <math.h>

static char text[4096];

static const char *capture(void (*write)(struct json *))
{
    struct json j;
    FILE *f = fmemopen(text, sizeof(text), "w");

    json_begin(&j, f);
    write(&j);
    is(json_end(&j), 0, "written");
    fclose(f);
    text[strcspn(text, "\n")] = 0;
    return text;
}

static void nested(struct json *j)
{
    json_object(j, NULL);
    json_array(j, "a");
    json_uint(j, NULL, UINT64_MAX);
    json_int(j, NULL, INT64_MIN);
    json_object(j, NULL);
    json_close(j);
    json_close(j);
    json_null(j, "n");
    json_bool(j, "t", true);
    json_number(j, "x", 0.5);
    json_number(j, "nan", NAN);
    json_string(j, "none", NULL);
    json_close(j);
}

static void with_nul(struct json *j)
{
    json_text(j, NULL, "a\0b", 3);
}

static void hostile(struct json *j)
{
    json_string(j, NULL, "\"\\\n\t\x01\x1b[31m \xff\xc3( \xc3\xa4 \xed\xa0\x80 end");
}

int main(void)
{
    struct json j;

    ok(!strcmp(capture(nested),
               "{\"a\": [18446744073709551615, -9223372036854775808, {}], \"n\": null, \"t\": true, "
               "\"x\": 0.5, \"nan\": null, \"none\": null}"),
       "nesting, commas, numbers: %s", text);
    ok(!strcmp(capture(with_nul), "\"a\\u0000b\""), "a text with a NUL is whole: %s", text);
    capture(hostile);
    ok(text[0] == '"' && text[strlen(text) - 1] == '"' &&
           strstr(text, "\\\"\\\\\\n\\u0009\\u0001\\u001b[31m"),
       "quotes and controls are escaped");
    ok(strstr(text, "\xc3\xa4") && strstr(text, "end") && !strstr(text, "\xff"),
       "UTF-8 passes, other bytes do not");

    FILE *full = fopen("/dev/full", "w");
    json_begin(&j, full);
    nested(&j);
    is(json_end(&j), -EIO, "a full disk is an error");
    fclose(full);
    return tap_done();
}
