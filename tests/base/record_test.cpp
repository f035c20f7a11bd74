#include "gotunnel/base/record.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

using namespace gotunnel;

namespace {

std::vector<std::byte> sample() {
  record_writer to;
  to.put(std::uint8_t{7});
  to.put(true);
  to.put(std::uint32_t{0x01020304});
  to.put(duration(5));
  to.put(time_point(1h));
  to.put_text("name");
  to.put_raw(as_bytes("raw"));
  return to.take();
}

void read_sample(record_reader& from) {
  BOOST_TEST(from.take<std::uint8_t>() == 7);
  BOOST_TEST(from.take_flag());
  BOOST_TEST(from.take<std::uint32_t>() == 0x01020304U);
  BOOST_TEST((from.take_duration() == duration(5)));
  BOOST_TEST((from.take_time() == time_point(1h)));
  BOOST_TEST(from.take_text() == "name");
  std::array<std::byte, 3> raw{};
  from.take_into(raw);
  BOOST_TEST(as_text(raw) == "raw");
}

} // namespace

BOOST_AUTO_TEST_SUITE(record_test)

BOOST_AUTO_TEST_CASE(what_was_put_is_taken) {
  const auto bytes = sample();
  BOOST_TEST(to_hex(bytes_view{bytes}.first(6)) == "070104030201");
  record_reader from(bytes);
  read_sample(from);
  BOOST_TEST(from.whole());
}

BOOST_AUTO_TEST_CASE(more_than_was_read_is_not_whole_but_sound) {
  auto bytes = sample();
  bytes.push_back(std::byte{0});
  record_reader from(bytes);
  read_sample(from);
  BOOST_TEST(!from.broken());
  BOOST_TEST(!from.whole());
}

BOOST_AUTO_TEST_CASE(every_beginning_of_a_record_is_broken_and_stays_so) {
  const auto bytes = sample();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    record_reader from(bytes_view{bytes}.first(size));
    (void)from.take<std::uint8_t>();
    (void)from.take_flag();
    (void)from.take<std::uint32_t>();
    (void)from.take_duration();
    (void)from.take_time();
    (void)from.take_text();
    std::array<std::byte, 3> raw{};
    from.take_into(raw);
    BOOST_TEST(from.broken());
    BOOST_TEST(from.take<std::uint64_t>() == 0U);
    BOOST_TEST(from.take_bytes().empty());
  }
}

BOOST_AUTO_TEST_CASE(a_length_or_a_flag_that_cannot_be_is_broken) {
  record_writer to;
  to.put(~std::uint64_t{0});
  const auto huge = to.take();
  record_reader from(huge);
  BOOST_TEST(from.take_bytes().empty());
  BOOST_TEST(from.broken());
  for (const duration each : {duration(-1), record_reader::longest + 1ns, duration::max()}) {
    record_writer time;
    time.put(each);
    const auto bytes = time.take();
    record_reader reader(bytes);
    BOOST_TEST((reader.take_time() == time_point()));
    BOOST_TEST(reader.broken());
  }
  const std::array<std::byte, 1> two{std::byte{2}};
  record_reader flag(two);
  (void)flag.take_flag();
  BOOST_TEST(flag.broken());
}

BOOST_AUTO_TEST_SUITE_END()
