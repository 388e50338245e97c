// stub COUNT QOS TOPIC PAYLOAD [WORKERS]
//
// A broker for one client that is never the limit: takes any CONNECT of MQTT 3.1.1 or 5, and answers a SUBSCRIBE with COUNT
// prebuilt messages at QoS 0 or 1, as fast as they are taken; at QoS 1 never more unacknowledged than the client's
// receive maximum. What the client publishes meanwhile is counted and acknowledged. In TOPIC and PAYLOAD, %w becomes
// 0 … WORKERS-1 in turn and %n the message's number.
// Says {"port": …} when it listens, and at the client's end {"result": {"sent": …, "acked": …, "published": …}}.
#include "mqtt.h"

enum { ROOM = 1 << 20, PIECE = 65536 };

static long count, published, acked, sent; // sent: whole packets of `packets` that the kernel took
static size_t total, done, *end;
static byte *packets;
static byte answers[ROOM];
static size_t waiting; // bytes of `answers` that go out at the next packet's end
static int qos, v5, blasting, workers = 1;
static unsigned window = 65535;

static void build(const char *topic_form, const char *payload_form) {
    byte *p = packets = memory((size_t)count * (strlen(topic_form) + strlen(payload_form) + 64));
    end = memory(sizeof *end * (size_t)(count + 1));
    for (long n = 0; n < count; n++) {
        char topic[512], payload[2048];
        fill_in(topic, sizeof topic, topic_form, (int)(n % workers), (int)n);
        fill_in(payload, sizeof payload, payload_form, (int)(n % workers), (int)n);
        p = put_publish(p, topic, payload, qos, (unsigned)(n % 65535) + 1, v5);
        end[n] = (size_t)(p - packets);
    }
    total = (size_t)(p - packets);
}

// The receive maximum (property 33) among a CONNECT's properties; MQTT 5, section 3.1.2.11.
static unsigned receive_maximum(const byte *at, const byte *stop) {
    while (at < stop) switch (*at++) {
        case 33: return u16(at);
        case 17: case 39: at += 4; break;
        case 34: at += 2; break;
        case 25: case 23: at += 1; break;
        case 38: at += 2 + u16(at); at += 2 + u16(at); break;
        case 21: case 22: at += 2 + u16(at); break;
        default: errno = 0; die("a CONNECT with an unknown property");
    }
    return 65535;
}

static byte *put_connack(byte *p, const byte *body) {
    v5 = body[6] == 5;
    if (v5) {
        size_t length = 0, i = 10;
        for (int shift = 0;; shift += 7) {
            length |= (size_t)(body[i] & 127) << shift;
            if (!(body[i++] & 128)) break;
        }
        window = receive_maximum(body + i, body + i + length);
    }
    const byte answer[] = {CONNACK << 4, (byte)(v5 ? 3 : 2), 0, 0, 0};
    memcpy(p, answer, v5 ? 5 : 4);
    return p + (v5 ? 5 : 4);
}

// One SUBACK code for each filter, each granted as it was asked.
static byte *put_suback(byte *p, const byte *body, const byte *stop) {
    const byte *mid = body;
    byte codes[64];
    size_t filters = 0;
    body += 2;
    if (v5) body += 1 + (*body & 127); // its properties are shorter than 128 bytes
    for (; body < stop && filters < sizeof codes; filters++) {
        body += 2 + u16(body);
        codes[filters] = *body++ & 3;
    }
    *p++ = SUBACK << 4;
    p = put_length(p, 2 + (v5 ? 1 : 0) + filters);
    p = put_u16(p, u16(mid));
    if (v5) *p++ = 0;
    memcpy(p, codes, filters);
    return p + filters;
}

// Answers every whole packet in `in` and returns how many bytes they were.
static size_t take(const byte *in, size_t have, char **forms) {
    byte *p = answers + waiting;
    size_t at = 0, body, size;
    for (; p < answers + ROOM / 2 && (size = whole_packet(in + at, have - at, &body)); at += size) {
        const byte *packet = in + at;
        switch (packet[0] >> 4) {
        case CONNECT: p = put_connack(p, packet + body); break;
        case SUBSCRIBE:
            p = put_suback(p, packet + body, packet + size);
            if (!blasting) build(forms[0], forms[1]);
            blasting = 1;
            break;
        case UNSUBSCRIBE:
            *p++ = UNSUBACK << 4;
            *p++ = v5 ? 4 : 2;
            p = put_u16(p, u16(packet + body));
            if (v5) p = put_u16(p, 0);
            break;
        case PINGREQ:
            *p++ = PINGRESP << 4;
            *p++ = 0;
            break;
        case PUBACK: acked++; break;
        case PUBLISH:
            published++;
            if (packet[0] & 6) p = put_puback(p, u16(packet + body + 2 + u16(packet + body)));
            break;
        default: break;
        }
    }
    waiting = (size_t)(p - answers);
    return at;
}

int main(int argc, char **argv) {
    if (argc < 5) die("usage: stub COUNT QOS TOPIC PAYLOAD [WORKERS]");
    count = atol(argv[1]);
    qos = atoi(argv[2]);
    if (argc > 5) workers = atoi(argv[5]);
    if (strlen(argv[3]) > 200 || strlen(argv[4]) > 1000) die("TOPIC or PAYLOAD");
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {0};
    socklen_t size = sizeof a;
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 1)) die("listen");
    getsockname(listener, (struct sockaddr *)&a, &size);
    printf("{\"port\": %d}\n", ntohs(a.sin_port));
    fflush(stdout);
    int s = accept(listener, NULL, NULL);
    if (s < 0) die("accept");
    no_delay(s);
    non_blocking(s);
    byte *in = memory(ROOM);
    for (size_t have = 0;;) {
        int between = done == (sent ? end[sent - 1] : 0);
        if (waiting && between) {
            send_all(s, answers, waiting);
            waiting = 0;
        }
        long allowed = !blasting ? 0 : qos && acked + (long)window < count ? acked + (long)window : count;
        if (waiting) allowed = sent + 1;
        size_t limit = allowed ? end[allowed - 1] : 0;
        struct pollfd f = {s, (short)(POLLIN | (done < limit ? POLLOUT : 0)), 0};
        if (poll(&f, 1, -1) < 0) die("poll");
        if (f.revents & (POLLIN | POLLHUP | POLLERR)) {
            ssize_t got = recv(s, in + have, PIECE, 0);
            if (got == 0 || (got < 0 && errno != EAGAIN)) break;
            if (got > 0) have += (size_t)got;
            size_t taken = take(in, have, argv + 3);
            have -= taken;
            memmove(in, in + taken, have);
            if (have > ROOM - PIECE) die("a packet too long");
        }
        if (f.revents & POLLOUT) {
            ssize_t took = send(s, packets + done, limit - done < PIECE ? limit - done : PIECE, 0);
            if (took < 0 && errno != EAGAIN) break;
            if (took > 0) done += (size_t)took;
            while (sent < count && end[sent] <= done) sent++;
        }
    }
    printf("{\"result\": {\"sent\": %ld, \"acked\": %ld, \"published\": %ld}}\n", sent, acked, published);
    return 0;
}
