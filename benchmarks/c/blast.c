// blast PORT COUNT QOS TOPIC PAYLOAD [WORKERS [RATE]]
//
// Publishes COUNT prebuilt messages as fast as the broker takes them, or RATE a second. In TOPIC and PAYLOAD, %w becomes
// 0 … WORKERS-1 in turn and %n the message's number. At QoS 1 at most WINDOW are unacknowledged.
// Says {"sent": COUNT, "seconds": …} when the last one is acknowledged (at QoS 0: taken by the kernel).
#include "mqtt.h"

enum { WINDOW = 1000, PIECE = 65536, ROOM = 2048 };

int main(int argc, char **argv) {
    if (argc < 6) die("usage: blast PORT COUNT QOS TOPIC PAYLOAD [WORKERS [RATE]]");
    int count = atoi(argv[2]), qos = atoi(argv[3]), workers = argc > 6 ? atoi(argv[6]) : 1;
    double rate = argc > 7 ? atof(argv[7]) : 0;
    if (strlen(argv[4]) > ROOM / 4 || strlen(argv[5]) > ROOM / 4) die("TOPIC or PAYLOAD");
    int s = dial(atoi(argv[1]));
    size_t room = (size_t)count * (strlen(argv[4]) + strlen(argv[5]) + 64);
    byte *packets = memory(room), *p = packets;
    size_t *end = memory(sizeof *end * (size_t)(count + 1));
    for (int n = 0; n < count; n++) {
        char topic[ROOM], payload[ROOM];
        fill_in(topic, sizeof topic, argv[4], n % workers, n);
        fill_in(payload, sizeof payload, argv[5], n % workers, n);
        if (p + strlen(topic) + strlen(payload) + 16 > packets + room) die("too many % in TOPIC or PAYLOAD");
        p = put_publish(p, topic, payload, qos, (unsigned)(n % 65535) + 1, 0);
        end[n] = (size_t)(p - packets);
    }
    size_t total = (size_t)(p - packets), done = 0;
    non_blocking(s);
    byte acks[PIECE];
    long acked_bytes = 0;
    double began = now();
    while (done < total || (qos && acked_bytes < 4L * count)) {
        long allowed = qos ? acked_bytes / 4 + WINDOW : count;
        if (rate > 0 && (now() - began) * rate + 1 < (double)allowed) allowed = (long)((now() - began) * rate) + 1;
        size_t limit = allowed <= 0 ? 0 : end[(allowed < count ? allowed : count) - 1];
        struct pollfd f = {s, (short)(POLLIN | (done < limit ? POLLOUT : 0)), 0};
        int ready = poll(&f, 1, rate > 0 && done < total ? 1 : 10000);
        if (ready < 0 || (ready == 0 && rate <= 0)) die("the broker takes and acknowledges nothing");
        if (f.revents & POLLIN) {
            ssize_t got = recv(s, acks, sizeof acks, 0);
            if (got == 0) die("the broker hung up");
            if (got > 0) acked_bytes += got;
        }
        if (f.revents & POLLOUT) {
            size_t size = limit - done < PIECE ? limit - done : PIECE;
            ssize_t sent = send(s, packets + done, size, 0);
            if (sent < 0 && errno != EAGAIN) die("send");
            if (sent > 0) done += (size_t)sent;
        }
    }
    double seconds = now() - began;
    // the broker reads what is in flight before it sees the end of the stream
    fcntl(s, F_SETFL, 0);
    send_all(s, (const byte *)"\xe0\0", 2);
    shutdown(s, SHUT_WR);
    while (recv(s, acks, sizeof acks, 0) > 0) {
    }
    printf("{\"sent\": %d, \"seconds\": %.6f}\n", count, seconds);
    return 0;
}
