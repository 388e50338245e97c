// The little of MQTT that the load generators and the limits need. Blocking sockets, loopback only, POSIX.
#ifndef BENCH_MQTT_H
#define BENCH_MQTT_H

#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef unsigned char byte;

enum { CONNECT = 1, CONNACK, PUBLISH, PUBACK, SUBSCRIBE = 8, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT };

static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// User and system time of this process so far, in seconds.
static inline double cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static inline void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static inline void *memory(size_t size) {
    void *got = malloc(size ? size : 1);
    if (!got) die("malloc");
    return got;
}

static inline void no_delay(int s) {
    int one = 1;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static inline void non_blocking(int s) { fcntl(s, F_SETFL, fcntl(s, F_GETFL) | O_NONBLOCK); }

static inline void send_all(int s, const byte *from, size_t size) {
    while (size) {
        ssize_t sent = send(s, from, size, 0);
        if (sent < 0 && errno == EAGAIN) {
            struct pollfd writable = {s, POLLOUT, 0};
            poll(&writable, 1, -1);
            continue;
        }
        if (sent <= 0) die("send");
        from += sent;
        size -= (size_t)sent;
    }
}

// The size of the whole packet at `at`, 0 while it is incomplete; *body is where its variable header begins.
static inline size_t whole_packet(const byte *at, size_t have, size_t *body) {
    size_t length = 0, i = 1;
    for (int shift = 0; i < have && i < 5; shift += 7) {
        length |= (size_t)(at[i] & 127) << shift;
        if (!(at[i++] & 128)) {
            *body = i;
            return i + length <= have ? i + length : 0;
        }
    }
    return 0;
}

static inline byte *put_length(byte *to, size_t length) {
    do {
        *to++ = (byte)((length & 127) | (length > 127 ? 128 : 0));
        length >>= 7;
    } while (length);
    return to;
}

static inline byte *put_u16(byte *to, unsigned value) {
    *to++ = (byte)(value >> 8);
    *to++ = (byte)value;
    return to;
}

static inline byte *put_text(byte *to, const char *text) {
    size_t size = strlen(text);
    to = put_u16(to, (unsigned)size);
    memcpy(to, text, size);
    return to + size;
}

static inline unsigned u16(const byte *at) { return (unsigned)at[0] << 8 | at[1]; }

static inline byte *put_publish(byte *to, const char *topic, const char *payload, int qos, unsigned mid, int v5) {
    size_t size = strlen(payload);
    *to++ = (byte)(PUBLISH << 4 | qos << 1);
    to = put_length(to, 2 + strlen(topic) + (qos ? 2 : 0) + (v5 ? 1 : 0) + size);
    to = put_text(to, topic);
    if (qos) to = put_u16(to, mid);
    if (v5) *to++ = 0;
    memcpy(to, payload, size);
    return to + size;
}

static inline byte *put_puback(byte *to, unsigned mid) {
    *to++ = PUBACK << 4;
    *to++ = 2;
    return put_u16(to, mid);
}

// `form` with each %w replaced by `worker` and each %n by `number`.
static inline void fill_in(char *to, size_t room, const char *form, int worker, int number) {
    char *end = to + room - 12;
    for (; *form && to < end; form++) {
        if (form[0] == '%' && (form[1] == 'w' || form[1] == 'n'))
            to += sprintf(to, "%d", *++form == 'w' ? worker : number);
        else
            *to++ = *form;
    }
    *to = 0;
}

// Connected by MQTT 3.1.1 with a clean session, no keep-alive.
static inline int dial(int port) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {0};
    a.sin_family = AF_INET;
    a.sin_port = htons((uint16_t)port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof a)) die("connect");
    no_delay(s);
    signal(SIGPIPE, SIG_IGN);
    char id[24];
    snprintf(id, sizeof id, "bench%d", (int)getpid());
    byte out[64], *p = out;
    *p++ = CONNECT << 4;
    p = put_length(p, 10 + 2 + strlen(id));
    p = put_text(p, "MQTT");
    memcpy(p, "\4\2\0\0", 4);
    p = put_text(p + 4, id);
    send_all(s, out, (size_t)(p - out));
    if (recv(s, out, 4, MSG_WAITALL) != 4 || out[0] != CONNACK << 4 || out[3]) die("CONNACK");
    return s;
}

static inline void subscribe(int s, const char *filter, int qos) {
    byte out[512], *p = out;
    if (strlen(filter) > 400) die("filter");
    *p++ = SUBSCRIBE << 4 | 2;
    p = put_length(p, 2 + 2 + strlen(filter) + 1);
    p = put_text(put_u16(p, 1), filter);
    *p++ = (byte)qos;
    send_all(s, out, (size_t)(p - out));
    if (recv(s, out, 5, MSG_WAITALL) != 5 || out[0] != SUBACK << 4 || out[4] > 2) die("SUBACK");
}

static inline void say(const char *json) {
    puts(json);
    fflush(stdout);
}

static inline void hang_up(int s) {
    send(s, "\xe0\0", 2, 0);
    close(s);
}

#endif
