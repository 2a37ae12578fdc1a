#include "utf8.h"

size_t grosr_utf8_decode(const char *from, size_t bytes, uint32_t *code_point)
{
    const unsigned char *s = (const unsigned char *)from;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    uint32_t c = length == 1 ? s[0] : length ? s[0] & (0x7fu >> length) : 0;

    *code_point = GROSR_UTF8_INVALID;
    if (length == 0 || length > bytes)
        return 1;
    for (size_t i = 1; i < length; i++) {
        if (s[i] >> 6 != 2)
            return 1;
        c = c << 6 | (s[i] & 0x3fu);
    }
    if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) /* overlong, too large, surrogate */
        return 1;
    *code_point = c;
    return length;
}
