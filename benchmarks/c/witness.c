// witness PORT COUNT
//
// Sees when the props w0 … w(COUNT-1) are available. Says {"ready": true} once subscribed, {"online": T} each time that the
// last of them is said to be online, {"offline": T} each time that none is any more; T is CLOCK_MONOTONIC in seconds.
#include "mqtt.h"

enum { ROOM = 1 << 20, PIECE = 65536 };

static const char BEGINNING[] = "halloween/w";

int main(int argc, char **argv) {
    if (argc != 3) die("usage: witness PORT COUNT");
    int s = dial(atoi(argv[1])), count = atoi(argv[2]), online = 0;
    byte *in = memory(ROOM), *acks = memory(ROOM), *is_online = calloc((size_t)count, 1);
    if (!is_online) die("calloc");
    subscribe(s, "halloween/+/status/availability", 1);
    say("{\"ready\": true}");
    for (size_t have = 0;;) {
        ssize_t got = recv(s, in + have, PIECE, 0);
        if (got <= 0) die("recv");
        have += (size_t)got;
        byte *ack = acks;
        size_t at = 0, body, size;
        for (; (size = whole_packet(in + at, have - at, &body)); at += size) {
            const byte *packet = in + at, *topic = packet + body + 2, *payload = topic + u16(packet + body);
            if (packet[0] >> 4 != PUBLISH) continue;
            if (packet[0] & 6) {
                ack = put_puback(ack, u16(payload));
                payload += 2;
            }
            const byte *digit = topic + sizeof BEGINNING - 1;
            if (memcmp(topic, BEGINNING, sizeof BEGINNING - 1) || *digit < '0' || *digit > '9') continue;
            int number = atoi((const char *)digit), now_online = (size_t)(packet + size - payload) == strlen("online");
            if (number >= count || is_online[number] == now_online) continue;
            is_online[number] = (byte)now_online;
            online += now_online ? 1 : -1;
            if (online != (now_online ? count : 0)) continue;
            printf("{\"%s\": %.6f}\n", now_online ? "online" : "offline", now());
            fflush(stdout);
        }
        if (ack > acks) send_all(s, acks, (size_t)(ack - acks));
        memmove(in, in + at, have - at);
        have -= at;
    }
}
