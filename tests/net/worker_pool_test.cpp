#include "gotunnel/net/worker_pool.hpp"

#include "support/log_capture.hpp"

#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <functional>
#include <mutex>
#include <set>
#include <thread>

using namespace gotunnel;

BOOST_AUTO_TEST_SUITE(worker_pool_test)

BOOST_AUTO_TEST_CASE(each_worker_is_a_thread_and_the_caller_is_the_front) {
  net::worker_pool pool(3);
  BOOST_TEST(pool.size() == 3U);
  std::mutex guard;
  std::set<std::thread::id> threads;
  std::thread::id front;
  std::size_t told = 0;
  for (std::size_t i = 0; i < pool.size(); ++i) {
    boost::asio::post(pool.at(i).where(), [&, i] {
      const std::lock_guard lock(guard);
      threads.insert(std::this_thread::get_id());
      if (i == 0) front = std::this_thread::get_id();
      if (++told == pool.size()) pool.release();
    });
  }
  pool.run();
  BOOST_TEST(threads.size() == 3U);
  BOOST_CHECK(front == std::this_thread::get_id());
}

BOOST_AUTO_TEST_CASE(there_is_always_one_worker) {
  net::worker_pool pool(0);
  BOOST_TEST(pool.size() == 1U);
  BOOST_TEST(&pool.front() == &pool.at(0));
  pool.release();
  pool.run();
}

BOOST_AUTO_TEST_CASE(after_release_what_is_under_way_still_ends) {
  net::worker_pool pool(2);
  int hops = 0;
  std::function<void()> hop = [&] {
    if (++hops < 100) boost::asio::post(pool.at(1).where(), hop);
  };
  boost::asio::post(pool.at(1).where(), hop);
  pool.release();
  pool.run();
  BOOST_TEST(hops == 100);
}

BOOST_AUTO_TEST_SUITE_END()
