#include "sagas/machine/pack.h"

enum { VARINT_SIZE_MAX = 10 };

void pack_number(struct buffer *buffer, uint64_t value)
{
    char text[VARINT_SIZE_MAX];
    size_t size = 0;
    while (value >= 0x80) {
        text[size++] = (char)(unsigned char)(value | 0x80);
        value >>= 7;
    }
    text[size++] = (char)(unsigned char)value;
    buffer_add(buffer, text, size);
}

void pack_bytes(struct buffer *buffer, struct bytes bytes)
{
    pack_number(buffer, bytes.size);
    buffer_add_bytes(buffer, bytes);
}

struct unpacker unpacker_of(struct bytes packed)
{
    const unsigned char *const start = (const unsigned char *)packed.data;
    return (struct unpacker){.at = start, .end = start + packed.size};
}

uint64_t unpack_damaged(struct unpacker *in, const char *what)
{
    if (in->what == NULL) in->what = what;
    in->at = in->end;
    return 0;
}

uint64_t unpack_number(struct unpacker *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * VARINT_SIZE_MAX; shift += 7) {
        if (in->at == in->end) return unpack_damaged(in, "a number is cut off");
        const unsigned char byte = *in->at++;
        if (shift == 63 && byte > 1) break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    return unpack_damaged(in, "a number is too large");
}

uint32_t unpack_limited(struct unpacker *in, uint32_t max, const char *what)
{
    const uint64_t value = unpack_number(in);
    return (uint32_t)(value <= max ? value : unpack_damaged(in, what));
}

struct bytes unpack_bytes(struct unpacker *in, size_t max)
{
    const uint64_t size = unpack_number(in);
    if (size > max || size > (size_t)(in->end - in->at)) {
        (void)unpack_damaged(in, "a text is cut off or too long");
        return (struct bytes){0};
    }
    const struct bytes bytes = {(const char *)in->at, (size_t)size};
    in->at += size;
    return bytes;
}
