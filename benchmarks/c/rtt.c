// rtt PORT COUNT TOPIC PAYLOAD FILTER QOS [GAP_US]
//
// One round trip after another: publishes on TOPIC and waits for a message that FILTER matches and that has the same number
// in it as went out for %n in PAYLOAD. The first WARM are not counted.
// Says {"result": {"round_trips": …, "p50_us": …, "p99_us": …, "mean_us": …, "lost": …}}; lost: no answer in 2 s.
#include "mqtt.h"

enum { WARM = 50, ROOM = 1 << 16, PATIENCE_MS = 2000, FIRST = 10000000 };

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int holds(const byte *packet, size_t size, const char *number) {
    size_t length = strlen(number);
    for (size_t i = 0; i + length <= size; i++)
        if (!memcmp(packet + i, number, length)) return 1;
    return 0;
}

// Reads and acknowledges until an answer with `number` came; 0 when none came in time.
static int answered(int s, const char *number) {
    static byte in[ROOM];
    static size_t have;
    double deadline = now() + PATIENCE_MS / 1e3;
    for (;;) {
        int left_ms = (int)((deadline - now()) * 1e3) + 1;
        struct pollfd f = {s, POLLIN, 0};
        if (left_ms <= 0 || poll(&f, 1, left_ms) <= 0) return 0;
        ssize_t got = recv(s, in + have, sizeof in - have, 0);
        if (got <= 0) die("recv");
        have += (size_t)got;
        int found = 0;
        size_t at = 0, body, size;
        for (; (size = whole_packet(in + at, have - at, &body)); at += size) {
            const byte *packet = in + at;
            if (packet[0] >> 4 != PUBLISH) continue;
            if (packet[0] & 6) {
                byte ack[4];
                put_puback(ack, u16(packet + body + 2 + u16(packet + body)));
                send_all(s, ack, sizeof ack);
            }
            found |= holds(packet, size, number);
        }
        memmove(in, in + at, have - at);
        have -= at;
        if (found) return 1;
    }
}

int main(int argc, char **argv) {
    if (argc < 7) die("usage: rtt PORT COUNT TOPIC PAYLOAD FILTER QOS [GAP_US]");
    int s = dial(atoi(argv[1])), count = atoi(argv[2]), qos = atoi(argv[6]), gap_us = argc > 7 ? atoi(argv[7]) : 0;
    if (strlen(argv[3]) + strlen(argv[4]) > 1500) die("TOPIC or PAYLOAD");
    subscribe(s, argv[5], qos);
    double *took_us = memory(sizeof *took_us * (size_t)count), sum = 0;
    int measured = 0, lost = 0;
    for (int i = -WARM; i < count; i++) {
        struct timespec gap = {gap_us / 1000000, gap_us % 1000000 * 1000L};
        if (gap_us) nanosleep(&gap, NULL);
        char number[16], payload[2048];
        byte out[4096];
        snprintf(number, sizeof number, "%d", FIRST + WARM + i);
        fill_in(payload, sizeof payload, argv[4], 0, FIRST + WARM + i);
        byte *end = put_publish(out, argv[3], payload, qos, (unsigned)((i + WARM) % 65535) + 1, 0);
        double began = now();
        send_all(s, out, (size_t)(end - out));
        int came = answered(s, number);
        if (!came) lost++;
        else if (i >= 0) sum += took_us[measured++] = (now() - began) * 1e6;
    }
    if (!measured) die("no answer");
    qsort(took_us, (size_t)measured, sizeof *took_us, ascending);
    printf("{\"result\": {\"round_trips\": %d, \"p50_us\": %.1f, \"p99_us\": %.1f, \"mean_us\": %.1f, \"lost\": %d}}\n",
           measured, took_us[measured / 2], took_us[measured * 99L / 100], sum / measured, lost);
    hang_up(s);
    return 0;
}
