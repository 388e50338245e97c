// commands PORT ACTION COUNT QOS WORKERS WINDOW
//
// Numbered commands to halloween/wI/cmd, I in turn, of which at most WINDOW are unanswered at a time; each is answered on
// halloween/+/telemetry/blink by its number. With ACTION "stream" it is one command to w0, which asks for COUNT answers.
// Says {"ready": true} when the first WARM are answered, then waits for a line and says {"result": {"seconds": …, "lost": …,
// "again": …}}: how many numbers never came back, and how many came again. After 5 s of silence the rest is lost.
#include "mqtt.h"

enum { WARM = 200, ROOM = 1 << 20, PIECE = 65536, SILENCE_MS = 5000, FIRST_WARM = 100000000 };
// A stream's answers come by themselves: who counts them looks rarely, and leaves the cores to broker and sender.
enum { NAP_US = 500 };

static int s, qos, workers, window;
static const char *action;
static byte *in, *out, *seen;
static long again;

static byte *put_command(byte *to, int number, int worker) {
    char topic[64], payload[256];
    snprintf(topic, sizeof topic, "halloween/w%d/cmd", worker);
    snprintf(payload, sizeof payload, "{\"action\": \"%s\", \"args\": %d}", action, number);
    return put_publish(to, topic, payload, qos, (unsigned)(number % 60000) + 1, 0);
}

// Reads once; how many answers to the commands from `first` on came with it.
static int read_answers(int first, int count) {
    static size_t have;
    ssize_t got = recv(s, in + have, PIECE, 0);
    if (got <= 0) die("recv");
    have += (size_t)got;
    int answers = 0;
    size_t at = 0, body, size;
    for (; (size = whole_packet(in + at, have - at, &body)); at += size) {
        const byte *packet = in + at, *digit = packet + body + 2 + u16(packet + body);
        if (packet[0] >> 4 != PUBLISH) continue;
        while (digit < packet + size && (*digit < '0' || *digit > '9')) digit++;
        long number = 0;
        for (; digit < packet + size && *digit >= '0' && *digit <= '9'; digit++) number = number * 10 + *digit - '0';
        if (number < first || number >= first + count) continue;
        if (seen[number - first]++) again++;
        else answers++;
    }
    memmove(in, in + at, have - at);
    have -= at;
    return answers;
}

// How many of the commands `first` … `first + count - 1` were not answered.
static int run(int first, int count) {
    int sent = 0, answered = 0, streams = !strcmp(action, "stream");
    struct pollfd readable = {s, POLLIN, 0};
    memset(seen, 0, (size_t)count);
    while (answered < count) {
        byte *end = out;
        if (!streams) {
            for (; sent < count && sent - answered < window; sent++)
                end = put_command(end, first + sent, sent % workers);
        } else if (!sent) {
            end = put_command(end, count, 0);
            sent = count;
        }
        send_all(s, out, (size_t)(end - out));
        if (poll(&readable, 1, SILENCE_MS) <= 0) break;
        if (streams) usleep(NAP_US);
        answered += read_answers(first, count);
    }
    return count - answered;
}

int main(int argc, char **argv) {
    if (argc != 7) die("usage: commands PORT ACTION COUNT QOS WORKERS WINDOW");
    int count = atoi(argv[3]);
    action = argv[2], qos = atoi(argv[4]), workers = atoi(argv[5]), window = atoi(argv[6]);
    if (strlen(action) > 100) die("ACTION");
    s = dial(atoi(argv[1]));
    in = memory(ROOM), out = memory((size_t)window * 512), seen = memory((size_t)(count > WARM ? count : WARM));
    subscribe(s, "halloween/+/telemetry/blink", 0);
    // one alone before the others: a host that has just connected may send the last value of each topic only
    int first = strcmp(action, "stream") ? FIRST_WARM : 0, missing = run(first, 1);
    missing += run(first, WARM);
    if (missing) {
        fprintf(stderr, "%d of the first %d commands were not answered\n", missing, WARM + 1);
        return 1;
    }
    say("{\"ready\": true}");
    if (getchar() == EOF) return 1;
    again = 0;
    double began = now();
    int lost = run(0, count);
    printf("{\"result\": {\"seconds\": %.6f, \"lost\": %d, \"again\": %ld}}\n", now() - began, lost, again);
    hang_up(s);
    return 0;
}
