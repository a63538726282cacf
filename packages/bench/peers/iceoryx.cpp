/*
 * What a user could pick instead: a 1080p frame there and one back between two processes, by Eclipse iceoryx 2 (zero copy).
 *
 *   iceoryx lead|follow spin|wait SAMPLES ROUNDS WARM CPU
 *
 * spin     both sides ask for data until there are some
 * wait     both sides sleep in a wait set until there are some
 * SAMPLES  how many figures are taken, after WARM ones that are thrown away
 * ROUNDS   round trips for each of them; the figure is their mean
 * CPU      the processor of this side; -1 to leave it to the system
 *
 * The first and the last byte of each frame are written by the one side and checked by the other. RouDi, iceoryx's broker,
 * must run. The leading side prints one JSON object, in nanoseconds for one round trip, as pingpong.c does.
 */
#include "iceoryx_posh/popo/publisher.hpp"
#include "iceoryx_posh/popo/subscriber.hpp"
#include "iceoryx_posh/popo/wait_set.hpp"
#include "iceoryx_posh/runtime/posh_runtime.hpp"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sched.h>
#include <vector>

struct Frame {
  Frame() {} // NOLINT: its bytes are not to be zeroed each time
  uint8_t bytes[1920 * 1080 * 4];
};

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

int main(int argc, char **argv) {
  if (argc != 7) fail("usage: iceoryx lead|follow spin|wait SAMPLES ROUNDS WARM CPU");
  const bool lead = std::strcmp(argv[1], "lead") == 0, spin = std::strcmp(argv[2], "spin") == 0;
  const long samples = std::atol(argv[3]), rounds = std::atol(argv[4]), warm = std::atol(argv[5]);
  iox::runtime::PoshRuntime::initRuntime(lead ? iox::RuntimeName_t("lead") : iox::RuntimeName_t("follow"));
  // The threads that iceoryx has started stay where they are: only this one is measured.
  pin(std::atoi(argv[6]));
  const IdString_t ping("ping"), pong("pong");
  iox::popo::Publisher<Frame> publisher({"bench", "frame", lead ? ping : pong});
  iox::popo::Subscriber<Frame> subscriber({"bench", "frame", lead ? pong : ping});
  iox::popo::WaitSet<> waiting;
  waiting.attachState(subscriber, iox::popo::SubscriberState::HAS_DATA).or_else([](auto) { fail("no wait set"); });
  while (subscriber.getSubscriptionState() != iox::SubscribeState::SUBSCRIBED || !publisher.hasSubscribers()) {
  }

  const auto send = [&](uint8_t mark) {
    publisher.loan()
        .and_then([&](auto &frame) {
          frame->bytes[0] = mark;
          frame->bytes[sizeof frame->bytes - 1] = mark;
          frame.publish();
        })
        .or_else([](auto) { fail("no frame to be had"); });
  };
  const auto receive = [&](uint8_t mark) {
    while (!subscriber.hasData()) {
      if (!spin) waiting.wait();
    }
    subscriber.take()
        .and_then([&](auto &frame) {
          if (frame->bytes[0] != mark || frame->bytes[sizeof frame->bytes - 1] != mark) fail("a frame came early");
        })
        .or_else([](auto) { fail("no frame came"); });
  };

  std::vector<double> taken;
  uint8_t mark = 0;
  for (long sample = 0; sample < warm + samples; sample++) {
    const auto begin = Clock::now();
    for (long i = 0; i < rounds; i++) {
      mark++;
      if (lead) send(mark);
      receive(mark);
      if (!lead) send(mark);
    }
    const std::chrono::duration<double, std::nano> time = Clock::now() - begin;
    if (sample >= warm) taken.push_back(time.count() / static_cast<double>(rounds));
  }
  if (!lead) {
    // The last frame must not go with this process before it was taken.
    while (publisher.hasSubscribers()) {
    }
    return 0;
  }
  std::sort(taken.begin(), taken.end());
  const auto count = taken.size();
  std::printf("{\"best\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"samples\":%zu}\n", taken[0], taken[count / 2],
              taken[count * 99 / 100], count);
  return 0;
}
