// reader PORT COUNT FILTER QOS
//
// Subscribes, says {"ready": true}, reads COUNT messages and acknowledges those at QoS 1, one write a read: how fast a
// broker can be read at all. Says {"result": {"messages": …, "seconds": …, "cpu_s": …}} from the first message to the last.
#include "mqtt.h"

enum { ROOM = 1 << 20, PIECE = 65536 };

int main(int argc, char **argv) {
    if (argc != 5) die("usage: reader PORT COUNT FILTER QOS");
    long count = atol(argv[2]), seen = 0;
    int s = dial(atoi(argv[1]));
    byte *in = memory(ROOM), *acks = memory(ROOM);
    subscribe(s, argv[3], atoi(argv[4]));
    say("{\"ready\": true}");
    double began = 0, cpu_began = 0;
    for (size_t have = 0; seen < count;) {
        ssize_t got = recv(s, in + have, PIECE, 0);
        if (got <= 0) die("recv");
        have += (size_t)got;
        byte *ack = acks;
        size_t at = 0, body, size;
        for (; (size = whole_packet(in + at, have - at, &body)); at += size) {
            const byte *packet = in + at;
            if (packet[0] >> 4 != PUBLISH) continue;
            if (!seen++) {
                began = now();
                cpu_began = cpu();
            }
            if (packet[0] & 6) ack = put_puback(ack, u16(packet + body + 2 + u16(packet + body)));
        }
        if (ack > acks) send_all(s, acks, (size_t)(ack - acks));
        memmove(in, in + at, have - at);
        have -= at;
        if (have > ROOM - PIECE) die("a packet too long");
    }
    printf("{\"result\": {\"messages\": %ld, \"seconds\": %.6f, \"cpu_s\": %.6f}}\n", seen, now() - began, cpu() - cpu_began);
    hang_up(s);
    return 0;
}
