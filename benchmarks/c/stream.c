// stream PORT BATCH
//
// What a worker's telemetry could reach, in C: a message on halloween/w0/cmd with a number N in it is answered by N messages on
// halloween/w0/telemetry/blink, 0 … N-1, at QoS 0 and BATCH in one write. Says {"ready": true} once subscribed.
#include "mqtt.h"

enum { ROOM = 4096, MESSAGE = 64 };

int main(int argc, char **argv) {
    if (argc != 3) die("usage: stream PORT BATCH");
    int s = dial(atoi(argv[1])), batch = atoi(argv[2]);
    byte in[ROOM + 1], *out = memory((size_t)batch * MESSAGE), *end = out;
    subscribe(s, "halloween/w0/cmd", 0);
    say("{\"ready\": true}");
    for (;;) {
        ssize_t got = recv(s, in, ROOM, 0);
        size_t body;
        if (got <= 0) die("recv");
        if (!whole_packet(in, (size_t)got, &body)) die("a command in pieces");
        in[got] = 0;
        const char *payload = (const char *)in + body + 2 + u16(in + body);
        int count = atoi(payload + strcspn(payload, "0123456789"));
        for (int n = 0; n < count; n++) {
            char number[16];
            snprintf(number, sizeof number, "%d", n);
            end = put_publish(end, "halloween/w0/telemetry/blink", number, 0, 0, 0);
            if ((n + 1) % batch && n + 1 < count) continue;
            send_all(s, out, (size_t)(end - out));
            end = out;
        }
    }
}
