/*
 * What a user could pick instead: frames between processes by Eclipse iceoryx 2 (zero copy).
 *
 *   iceoryx lead|follow spin|wait SAMPLES ROUNDS WARM CPU            a 1080p frame there and one back
 *   iceoryx produce     spin|wait SAMPLES ROUNDS WARM CPU CONSUMERS  frames of 1 KiB as fast as they go, none lost
 *   iceoryx consume     spin|wait SAMPLES ROUNDS WARM CPU NUMBER     takes each of them
 *
 * spin     a side asks for data until there are some
 * wait     a side sleeps in a wait set until there are some
 * SAMPLES  how many figures are taken, after WARM ones that are thrown away
 * ROUNDS   round trips or frames for each of them; the figure is their mean
 * CPU      the processor of this process; -1 to leave it to the system
 *
 * The first and the last byte of each frame are written by the one side and checked by the other. RouDi, iceoryx's broker,
 * must run. The side that leads or produces prints one JSON object, in nanoseconds for one round trip or one frame, as
 * pingpong.c does.
 */
#include "iceoryx_posh/popo/publisher.hpp"
#include "iceoryx_posh/popo/subscriber.hpp"
#include "iceoryx_posh/popo/wait_set.hpp"
#include "iceoryx_posh/runtime/posh_runtime.hpp"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sched.h>
#include <string>
#include <vector>

template <size_t SIZE> struct Frame {
  Frame() {} // NOLINT: its bytes are not to be zeroed each time
  uint8_t bytes[SIZE];
};
using Large = Frame<1920 * 1080 * 4>;
using Small = Frame<1024>;

using iox::capro::IdString_t;
using Clock = std::chrono::steady_clock;

[[noreturn]] static void fail(const char *what) {
  std::fprintf(stderr, "iceoryx: %s\n", what);
  std::exit(1);
}

static void pin(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("cannot bind to the processor");
}

struct Plan {
  long samples, rounds, warm;

  /** Times all samples. */
  template <typename Round> std::vector<double> run(Round round) const {
    std::vector<double> taken;
    uint8_t mark = 0;
    for (long sample = 0; sample < warm + samples; sample++) {
      const auto begin = Clock::now();
      for (long i = 0; i < rounds; i++) round(mark++);
      const std::chrono::duration<double, std::nano> time = Clock::now() - begin;
      if (sample >= warm) taken.push_back(time.count() / static_cast<double>(rounds));
    }
    return taken;
  }
};

static void report(std::vector<double> taken) {
  std::sort(taken.begin(), taken.end());
  const auto count = taken.size();
  std::printf("{\"best\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"samples\":%zu}\n", taken[0], taken[count / 2],
              taken[count * 99 / 100], count);
}

template <typename F> static void send(iox::popo::Publisher<F> &publisher, uint8_t mark) {
  publisher.loan()
      .and_then([&](auto &frame) {
        frame->bytes[0] = mark;
        frame->bytes[sizeof frame->bytes - 1] = mark;
        frame.publish();
      })
      .or_else([](auto) { fail("no frame to be had"); });
}

/** A subscriber, and how it waits. */
template <typename F> class Receiver {
public:
  iox::popo::Subscriber<F> subscriber;

  Receiver(const iox::capro::ServiceDescription &service, const iox::popo::SubscriberOptions &options, bool spin)
      : subscriber(service, options), spin(spin) {
    waiting.attachState(subscriber, iox::popo::SubscriberState::HAS_DATA).or_else([](auto) { fail("no wait set"); });
  }

  void receive(uint8_t mark) {
    while (!subscriber.hasData()) {
      if (!spin) waiting.wait();
    }
    subscriber.take()
        .and_then([&](auto &frame) {
          if (frame->bytes[0] != mark || frame->bytes[sizeof frame->bytes - 1] != mark) fail("a frame came early");
        })
        .or_else([](auto) { fail("no frame came"); });
  }

  void waitForPublisher() {
    while (subscriber.getSubscriptionState() != iox::SubscribeState::SUBSCRIBED) {
    }
  }

private:
  const bool spin;
  iox::popo::WaitSet<> waiting;
};

/** The last frames must not go with this process before they were taken. */
template <typename F> static void waitForEnd(iox::popo::Publisher<F> &publisher) {
  while (publisher.hasSubscribers()) {
  }
}

static void pingpong(bool lead, bool spin, const Plan &plan) {
  const IdString_t ping("ping"), pong("pong");
  iox::popo::Publisher<Large> publisher({"bench", "frame", lead ? ping : pong});
  Receiver<Large> receiver({"bench", "frame", lead ? pong : ping}, {}, spin);
  receiver.waitForPublisher();
  while (!publisher.hasSubscribers()) {
  }
  const auto taken = plan.run([&](uint8_t mark) {
    if (lead) send(publisher, mark);
    receiver.receive(mark);
    if (!lead) send(publisher, mark);
  });
  if (lead) report(taken);
  else waitForEnd(publisher);
}

/** How many frames can be on their way, as in the frame stream beside it. */
static const uint64_t QUEUE = 32;
static const iox::capro::ServiceDescription FRAMES("bench", "frame", "many"), READY("bench", "frame", "ready");

static void produce(long consumers, const Plan &plan) {
  iox::popo::PublisherOptions patient;
  patient.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
  iox::popo::Publisher<Small> publisher(FRAMES, patient);
  iox::popo::SubscriberOptions late;
  late.historyRequest = 1;
  Receiver<Small> ready(READY, late, false);
  while (consumers > 0) {
    ready.receive(0);
    consumers--;
  }
  report(plan.run([&](uint8_t mark) { send(publisher, mark); }));
  waitForEnd(publisher);
}

static void consume(bool spin, const Plan &plan) {
  iox::popo::SubscriberOptions complete;
  complete.queueCapacity = QUEUE;
  complete.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
  Receiver<Small> receiver(FRAMES, complete, spin);
  receiver.waitForPublisher();
  iox::popo::PublisherOptions kept;
  kept.historyCapacity = 1;
  iox::popo::Publisher<Small> ready(READY, kept);
  send(ready, 0);
  plan.run([&](uint8_t mark) { receiver.receive(mark); });
}

int main(int argc, char **argv) {
  const std::string role = argc > 1 ? argv[1] : "";
  const bool many = role == "produce" || role == "consume";
  if (argc != (many ? 8 : 7)) fail("usage: iceoryx lead|follow|produce|consume spin|wait SAMPLES ROUNDS WARM CPU [CONSUMERS|NUMBER]");
  const bool spin = std::string(argv[2]) == "spin";
  const Plan plan{std::atol(argv[3]), std::atol(argv[4]), std::atol(argv[5])};
  const std::string name = role == "consume" ? role + argv[7] : role;
  iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name));
  // The threads that iceoryx has started stay where they are: only this one is measured.
  pin(std::atoi(argv[6]));
  if (role == "produce") produce(std::atol(argv[7]), plan);
  else if (role == "consume") consume(spin, plan);
  else pingpong(role == "lead", spin, plan);
  return 0;
}
