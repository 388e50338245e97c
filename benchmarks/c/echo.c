// echo PORT FILTER SUFFIX QOS
//
// What a host would answer, in C: each message on halloween/PROP/… that FILTER matches goes out again, payload unchanged,
// on halloween/PROP/SUFFIX, one write a read. Says {"ready": true} once subscribed; runs until it is ended.
#include "mqtt.h"

enum { ROOM = 1 << 20, PIECE = 65536 };

int main(int argc, char **argv) {
    if (argc != 5) die("usage: echo PORT FILTER SUFFIX QOS");
    const char *suffix = argv[3];
    int s = dial(atoi(argv[1])), qos = atoi(argv[4]);
    byte *in = memory(ROOM), *out = memory(16 * ROOM);
    unsigned mid = 0;
    subscribe(s, argv[2], qos);
    say("{\"ready\": true}");
    for (size_t have = 0;;) {
        ssize_t got = recv(s, in + have, PIECE, 0);
        if (got <= 0) die("recv");
        have += (size_t)got;
        byte *p = out;
        size_t at = 0, body, size;
        for (; (size = whole_packet(in + at, have - at, &body)); at += size) {
            const byte *packet = in + at, *topic = packet + body + 2, *payload = topic + u16(packet + body);
            if (packet[0] >> 4 != PUBLISH) continue;
            int reliable = (packet[0] & 6) != 0;
            if (reliable) {
                p = put_puback(p, u16(payload));
                payload += 2;
            }
            const byte *slash = memchr(topic, '/', (size_t)(payload - topic));
            slash = slash ? memchr(slash + 1, '/', (size_t)(payload - slash - 1)) : NULL;
            if (!slash) die("a topic without a prop");
            size_t head = (size_t)(slash + 1 - topic), tail = strlen(suffix), rest = (size_t)(packet + size - payload);
            *p++ = (byte)(PUBLISH << 4 | (reliable ? 2 : 0));
            p = put_length(p, 2 + head + tail + (reliable ? 2 : 0) + rest);
            p = put_u16(p, (unsigned)(head + tail));
            memcpy(p, topic, head);
            memcpy(p + head, suffix, tail);
            p += head + tail;
            if (reliable) p = put_u16(p, mid = mid % 65535 + 1);
            memcpy(p, payload, rest);
            p += rest;
        }
        if (p > out) send_all(s, out, (size_t)(p - out));
        memmove(in, in + at, have - at);
        have -= at;
        if (have > ROOM - PIECE) die("a packet too long");
    }
}
