#include "gotunnel/base/byte_queue.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <string>

using namespace gotunnel;

namespace {

std::string drain(byte_queue& queue, std::size_t most) {
  std::string text;
  while (!queue.empty()) {
    const bytes_view part = queue.front().first(std::min(most, queue.front().size()));
    text += as_text(part);
    queue.pop(part.size());
  }
  return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(byte_queue_test)

BOOST_AUTO_TEST_CASE(empty_it_lends_nothing) {
  byte_queue queue;
  BOOST_TEST(queue.empty());
  BOOST_TEST(queue.size() == 0U);
  BOOST_TEST(queue.front().empty());
  queue.push({});
  queue.pop(0);
  BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_CASE(bytes_leave_in_the_order_in_which_they_came) {
  byte_queue queue;
  queue.push(as_bytes("one "));
  queue.push(as_bytes("two"));
  BOOST_TEST(queue.size() == 7U);
  BOOST_TEST(as_text(queue.front()) == "one two"); // small pieces gather in one block
  queue.pop(2);
  BOOST_TEST(as_text(queue.front()) == "e two");
  queue.push(as_bytes(" three"));
  BOOST_TEST(drain(queue, SIZE_MAX) == "e two three");
  BOOST_TEST(queue.front().empty());
}

BOOST_AUTO_TEST_CASE(pushing_does_not_move_what_is_lent) {
  byte_queue queue;
  queue.push(as_bytes("lent"));
  const bytes_view lent = queue.front();
  const std::string more(300'000, 'x');
  for (int i = 0; i < 40; ++i) queue.push(as_bytes(more));
  BOOST_TEST(as_text(lent) == "lent");
  BOOST_TEST(lent.data() == queue.front().data());
}

BOOST_AUTO_TEST_CASE(any_mixture_of_pushes_and_pops_keeps_every_byte) {
  std::mt19937 random(7); // NOLINT: the same sequence each time
  byte_queue queue;
  std::string in;
  std::string out;
  for (int i = 0; i < 5000; ++i) {
    const std::size_t size = random() % 3 == 0 ? random() % 100'000 : random() % 50;
    std::string text(size, static_cast<char>('a' + i % 26));
    if (queue.size() < 500'000) {
      queue.push(as_bytes(text));
      in += text;
    }
    for (std::size_t left = random() % 80'000; left > 0 && !queue.empty();) {
      const bytes_view part = queue.front().first(std::min(left, queue.front().size()));
      out += as_text(part);
      queue.pop(part.size());
      left -= part.size();
    }
    BOOST_REQUIRE(queue.size() == in.size() - out.size());
  }
  out += drain(queue, SIZE_MAX);
  BOOST_TEST((in == out));
}

BOOST_AUTO_TEST_CASE(cleared_it_can_be_used_again) {
  byte_queue queue;
  queue.push(as_bytes(std::string(200'000, 'x')));
  queue.pop(10);
  queue.clear();
  BOOST_TEST(queue.empty());
  BOOST_TEST(queue.front().empty());
  queue.push(as_bytes("again"));
  BOOST_TEST(drain(queue, 1) == "again");
}

BOOST_AUTO_TEST_CASE(all_but_the_front_can_be_dropped) {
  byte_queue queue;
  queue.keep_front();
  BOOST_TEST(queue.empty());
  const std::string text(300'000, 'x');
  queue.push(as_bytes(text));
  queue.pop(10);
  const bytes_view lent = queue.front();
  queue.keep_front();
  BOOST_TEST(queue.size() == lent.size());
  BOOST_TEST(queue.front().data() == lent.data());
  queue.pop(lent.size());
  BOOST_TEST(queue.empty());
  queue.push(as_bytes("more"));
  BOOST_TEST(as_text(queue.front()) == "more");
}

BOOST_AUTO_TEST_CASE(a_copy_is_all_that_waits_in_order) {
  byte_queue queue;
  BOOST_TEST(queue.copy().empty());
  std::string all;
  for (std::size_t size : {10U, 5'000U, 100'000U, 3U}) {
    const std::string part(size, static_cast<char>('a' + size % 7));
    queue.push(as_bytes(part));
    all += part;
  }
  queue.pop(4);
  BOOST_TEST((as_text(queue.copy()) == std::string_view(all).substr(4)));
  BOOST_TEST((drain(queue, 1000) == std::string_view(all).substr(4)));
}

BOOST_AUTO_TEST_SUITE_END()
