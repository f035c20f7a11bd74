#include "support/smux_pair.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

void play_pair(const smux_config& left, const smux_config& right, std::uint64_t first_seed,
               testing::pair_options options = {}) {
  for (std::uint64_t seed = first_seed; seed < first_seed + 4; ++seed) {
    testing::smux_pair pair(left, right, seed, options);
    while (pair.step()) {
    }
    BOOST_TEST(pair.verdict() == "", "seed " << seed << ": " << pair.verdict());
    BOOST_TEST(pair.opened() > 10u);
    BOOST_TEST(pair.carried() > 1'000'000u);
  }
}

smux_config with(smux_config config, smux_role role) {
  config.role = role;
  return config;
}

void play_both(const smux_config& config, std::uint64_t first_seed, testing::pair_options options = {}) {
  play_pair(with(config, smux_role::client), with(config, smux_role::server), first_seed, options);
}

BOOST_AUTO_TEST_SUITE(smux_core_pair_test)

BOOST_AUTO_TEST_CASE(two_gotunnels) { play_both({.resets = true}, 100); }

// Without RST a reset stream lives on at the far end until that finishes, so what remains must end by FIN
// alone.
BOOST_AUTO_TEST_CASE(as_towards_plain_smux) { play_both({}, 200); }

BOOST_AUTO_TEST_CASE(version_one) { play_both({.version = 1, .resets = true}, 300); }

BOOST_AUTO_TEST_CASE(small_frames_and_windows) {
  play_both({.resets = true, .max_frame = 777, .max_window = 5000}, 400, {.reset_chance = 0.002});
}

BOOST_AUTO_TEST_CASE(tight_memory) {
  play_both({.resets = true, .memory_budget = 300'000}, 500, {.reset_chance = 0.001});
}

BOOST_AUTO_TEST_CASE(large_windows_against_small_ones) {
  play_pair({.role = smux_role::client, .resets = true, .max_frame = 65535},
            {.role = smux_role::server, .resets = true, .max_window = 65536}, 600, {.delay = 50ms});
}

BOOST_AUTO_TEST_CASE(more_streams_than_are_allowed) {
  play_both({.resets = true, .max_peer_streams = 3}, 700);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace gotunnel::wire
