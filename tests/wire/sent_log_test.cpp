#include "gotunnel/wire/sent_log.hpp"

#include "support/allocation_counter.hpp"
#include "support/bytes_of.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <random>

namespace gotunnel::wire {
namespace {

void add(sent_log& to, bytes_view bytes) {
  const bytes_span room = to.room();
  BOOST_REQUIRE(room.size() >= bytes.size());
  std::memcpy(room.data(), bytes.data(), bytes.size());
  to.commit(bytes.size());
}

/// All bytes from `offset` on.
std::vector<std::byte> rest_of(const sent_log& log, std::uint64_t offset) {
  std::vector<std::byte> all;
  while (offset < log.end()) {
    const bytes_view piece = log.from(offset);
    if (piece.empty()) break;
    all.insert(all.end(), piece.begin(), piece.end());
    offset += piece.size();
  }
  return all;
}

BOOST_AUTO_TEST_SUITE(sent_log_test)

BOOST_AUTO_TEST_CASE(bytes_are_kept_until_they_are_acknowledged) {
  sent_log log;
  BOOST_TEST(log.size() == 0U);
  BOOST_TEST(log.from(0).empty());
  add(log, as_bytes("hello, "));
  add(log, as_bytes("world"));
  BOOST_TEST(as_text(rest_of(log, 0)) == "hello, world");
  BOOST_TEST(as_text(rest_of(log, 7)) == "world");
  log.acknowledge(3);
  BOOST_TEST(log.begin() == 3U);
  BOOST_TEST(log.size() == 9U);
  BOOST_TEST(as_text(rest_of(log, 3)) == "lo, world");
  log.acknowledge(12);
  BOOST_TEST(log.size() == 0U);
  add(log, as_bytes("again"));
  BOOST_TEST(as_text(rest_of(log, 12)) == "again");
}

BOOST_AUTO_TEST_CASE(random_batches_and_acknowledgements) {
  std::mt19937 random(7);
  const auto up_to = [&](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
  };
  const std::vector<std::byte> content = testing::noise(8 * 1024 * 1024, 3);
  sent_log log;
  while (log.end() < content.size()) {
    const std::size_t most = std::array<std::size_t, 4>{20, 2'000, 40'000, 262'144}[up_to(3)];
    const std::size_t size = std::min({up_to(most), log.room().size(), content.size() - log.end()});
    add(log, bytes_view(content).subspan(log.end(), size));
    if (up_to(2) == 0) log.acknowledge(log.begin() + up_to(log.size()));
    if (up_to(9) != 0) continue;
    const std::uint64_t from = log.begin() + up_to(log.size());
    const auto kept = rest_of(log, from);
    BOOST_REQUIRE((kept.size() == log.end() - from));
    BOOST_REQUIRE(
        (std::equal(kept.begin(), kept.end(), content.begin() + static_cast<std::ptrdiff_t>(from))));
  }
}

BOOST_AUTO_TEST_CASE(bulk_stays_where_it_was_written_and_its_block_is_shared) {
  sent_log log;
  const std::byte* last = nullptr;
  for (int i = 0; i < 4; ++i) {
    const bytes_span room = log.room();
    BOOST_TEST(room.size() >= 64U * 1024);
    if (i > 0) BOOST_TEST((room.data() == last));
    last = room.data() + 64UL * 1024;
    const std::uint64_t at = log.end();
    log.commit(64UL * 1024);
    BOOST_TEST((log.from(at).data() == room.data()));
  }
  // What is left of the block is not worth a frame.
  BOOST_TEST((log.room().data() != last));
  log.commit(0);
  BOOST_TEST(log.size() == 256U * 1024);
}

BOOST_AUTO_TEST_CASE(small_batches_share_a_small_block) {
  sent_log log;
  add(log, as_bytes("0123456789abcdef"));
  add(log, as_bytes("0123456789abcdef"));
  BOOST_TEST(log.from(0).size() == 32U); // one piece
}

BOOST_AUTO_TEST_CASE(what_is_lent_stays_in_place_while_others_come_and_go) {
  sent_log log;
  add(log, testing::noise(100'000, 1));
  const std::uint64_t at = log.end();
  const auto content = testing::noise(100'000, 2);
  add(log, content);
  const bytes_view lent = log.from(at);
  for (int i = 0; i < 50; ++i) add(log, testing::noise(70'000, 3));
  log.acknowledge(at);
  BOOST_TEST((lent.data() == log.from(at).data()));
  BOOST_TEST((std::equal(lent.begin(), lent.end(), content.begin())));
}

BOOST_AUTO_TEST_CASE(in_motion_it_allocates_nothing) {
  sent_log log;
  const auto round = [&] {
    for (int i = 0; i < 200; ++i) {
      (void)log.room();
      log.commit(i % 3 == 0 ? 65'536 : 500);
      if (log.size() > 512 * 1024) log.acknowledge(log.end() - 128 * 1024);
    }
  };
  for (int i = 0; i < 4; ++i) round();
  const auto before = testing::allocations();
  round();
  BOOST_TEST(testing::allocations() == before);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace gotunnel::wire
