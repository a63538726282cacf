/*
 * The floor: a round trip of one word in C.
 *
 *   pingpong SIDES MODE SAMPLES ROUNDS CPU CPU
 *
 * SIDES    threads or processes
 * MODE     spin     both sides look at the word until it changes
 *          timed    as spin, and each side stores the time before it answers, as the agent that signals a fence does
 *          futex    both sides sleep in the kernel until they are woken
 *          eventfd  both sides sleep in epoll_wait until the other side's eventfd is readable
 * SAMPLES  how many figures are taken
 * ROUNDS   round trips for each of them; the figure is their mean
 * CPU      the processor of each side, the same one twice to put both there; -1 to leave it to the system
 *
 * Prints one JSON object, in nanoseconds for one round trip: {"best":…,"p50":…,"p99":…,"samples":…}
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* One side: its word and time, on a cache line of their own, and what it sleeps on. */
struct side {
  _Alignas(128) _Atomic uint32_t word;
  _Atomic uint64_t time;
  int event, epoll, cpu;
};

/* In memory that a child process shares. */
static struct side *ping, *pong;
/* FUTEX_PRIVATE_FLAG between threads: the kernel then finds the word by its address. */
static int futex_flag;

/* Moves on to `value`, as seen by the other side. */
typedef void send_fn(struct side *to, uint32_t value);
/* Returns once the word has reached `value`. */
typedef void receive_fn(struct side *from, uint32_t value);

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *action) {
  perror(action);
  exit(1);
}

static void spin_send(struct side *to, uint32_t value) { to->word = value; }

static void spin_receive(struct side *from, uint32_t value) {
  while (from->word != value) {
  }
}

static void timed_send(struct side *to, uint32_t value) {
  to->time = now();
  to->word = value;
}

static void futex_send(struct side *to, uint32_t value) {
  to->word = value;
  syscall(SYS_futex, &to->word, FUTEX_WAKE | futex_flag, 1, NULL, NULL, 0);
}

static void futex_receive(struct side *from, uint32_t value) {
  while (from->word != value) {
    syscall(SYS_futex, &from->word, FUTEX_WAIT | futex_flag, value - 1, NULL, NULL, 0);
  }
}

static void eventfd_send(struct side *to, uint32_t value) {
  (void)value;
  uint64_t one = 1;
  if (write(to->event, &one, sizeof one) != sizeof one) fail("write");
}

static void eventfd_receive(struct side *from, uint32_t value) {
  (void)value;
  struct epoll_event event;
  uint64_t count;
  while (read(from->event, &count, sizeof count) != sizeof count) epoll_wait(from->epoll, &event, 1, -1);
}

static const struct {
  const char *name;
  send_fn *send;
  receive_fn *receive;
} modes[] = {
    {"spin", spin_send, spin_receive},
    {"timed", timed_send, spin_receive},
    {"futex", futex_send, futex_receive},
    {"eventfd", eventfd_send, eventfd_receive},
};

static send_fn *send_word;
static receive_fn *receive_word;
static uint32_t all_rounds;

static void pin(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("sched_setaffinity");
}

static void open_side(struct side *side, int cpu) {
  side->cpu = cpu;
  side->event = eventfd(0, EFD_NONBLOCK);
  side->epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  if (side->event < 0 || side->epoll < 0) fail("eventfd");
  if (epoll_ctl(side->epoll, EPOLL_CTL_ADD, side->event, &event) != 0) fail("epoll_ctl");
}

static void *follow(void *unused) {
  pin(pong->cpu);
  for (uint32_t round = 1; round <= all_rounds; round++) {
    receive_word(ping, round);
    send_word(pong, round);
  }
  return unused;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Starts the other side; it ends after its last round, or with this process. */
static void start_follower(int processes) {
  pthread_t thread;
  if (!processes) {
    if (pthread_create(&thread, NULL, follow, NULL) != 0) fail("pthread_create");
    return;
  }
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child > 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  follow(NULL);
  _exit(0);
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: pingpong threads|processes spin|timed|futex|eventfd SAMPLES ROUNDS CPU CPU\n");
    return 2;
  }
  int processes = strcmp(argv[1], "processes") == 0;
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(argv[2], modes[i].name) != 0) continue;
    send_word = modes[i].send;
    receive_word = modes[i].receive;
  }
  uint32_t samples = (uint32_t)atoi(argv[3]), rounds = (uint32_t)atoi(argv[4]), warm = samples / 10 + 1;
  if (send_word == NULL || samples == 0 || rounds == 0) {
    fprintf(stderr, "pingpong: no such mode, or nothing to do\n");
    return 2;
  }
  all_rounds = (warm + samples) * rounds;
  futex_flag = processes ? 0 : FUTEX_PRIVATE_FLAG;
  ping = mmap(NULL, 2 * sizeof *ping, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (ping == MAP_FAILED) fail("mmap");
  pong = ping + 1;
  open_side(ping, atoi(argv[5]));
  open_side(pong, atoi(argv[6]));
  double *taken = malloc(sizeof *taken * (warm + samples));
  if (taken == NULL) fail("malloc");
  start_follower(processes);
  pin(ping->cpu);

  uint32_t round = 0;
  for (uint32_t sample = 0; sample < warm + samples; sample++) {
    uint64_t begin = now();
    for (uint32_t i = 0; i < rounds; i++) {
      send_word(ping, ++round);
      receive_word(pong, round);
    }
    taken[sample] = (double)(now() - begin) / rounds;
  }

  taken += warm;
  qsort(taken, samples, sizeof *taken, ascending);
  printf("{\"best\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"samples\":%u}\n", taken[0], taken[samples / 2],
         taken[(uint64_t)samples * 99 / 100], samples);
  return 0;
}
