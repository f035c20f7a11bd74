#include "gotunnel/net/standstill.hpp"

#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

using namespace gotunnel;
namespace asio = boost::asio;

BOOST_AUTO_TEST_SUITE(standstill_test)

BOOST_AUTO_TEST_CASE(nobody_moves_while_one_looks_and_everybody_goes_on_with_what_comes_after) {
  for (const std::size_t size : {1U, 2U, 4U}) {
    net::worker_pool pool(size);
    // Each worker counts without a lock, as long as it may.
    std::vector<std::uint64_t> counts(size);
    std::vector<std::thread::id> afterwards(size);
    std::atomic<bool> enough = false;
    std::vector<std::function<void()>> turns(size);
    for (std::size_t i = 1; i < size; ++i) {
      turns[i] = [&, i] {
        ++counts[i];
        if (!enough) asio::post(pool.at(i).where(), turns[i]);
      };
      asio::post(pool.at(i).where(), turns[i]);
    }
    int rounds = 0;
    std::atomic<int> moved = 0;
    std::function<void()> round = [&] {
      std::vector<std::uint64_t> seen;
      net::standstill(
          pool,
          [&] {
            seen = counts;
            for (int spin = 0; spin < 1000; ++spin) std::this_thread::yield();
            BOOST_CHECK(seen == counts);
          },
          [&](std::size_t worker) {
            if (counts[worker] != seen[worker]) ++moved; // no macro of the tests: it is another thread
            afterwards[worker] = std::this_thread::get_id();
          });
      if (++rounds < 20) return asio::post(pool.front().where(), round);
      enough = true;
      pool.release();
    };
    asio::post(pool.front().where(), round);
    pool.run();
    BOOST_TEST(rounds == 20);
    BOOST_TEST(moved == 0);
    BOOST_CHECK(afterwards[0] == std::this_thread::get_id());
    for (std::size_t i = 1; i < size; ++i) BOOST_CHECK(afterwards[i] != std::this_thread::get_id());
  }
}

BOOST_AUTO_TEST_SUITE_END()
