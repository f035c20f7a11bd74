#include "gotunnel/link/seed_fallback.hpp"

#include "support/print_error.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;
using namespace gotunnel::link;
using wish = seed_fallback::wish;

BOOST_AUTO_TEST_SUITE(seed_fallback_test)

BOOST_AUTO_TEST_CASE(what_is_wished_and_known_decides) {
  const struct {
    wish wanted;
    bool was_native;
    error_code before; ///< anything is seen in this process
  } rows[] = {
      {wish::automatic, false, {}},
      {wish::automatic, true, errc::downgraded},
      {wish::on, false, {}},
      {wish::on, true, {}},
      {wish::off, false, errc::seed_peer_refused},
      {wish::off, true, errc::seed_peer_refused},
  };
  for (const auto& row : rows) {
    seed_fallback fallback(row.wanted, row.was_native);
    const auto before = fallback.judge();
    BOOST_TEST((before ? error_code() : before.error()) == row.before);
    BOOST_TEST(fallback.against_memory() == (row.wanted == wish::on && row.was_native));
    fallback.saw_native();
    BOOST_TEST(!fallback.judge().has_value());
  }
}

BOOST_AUTO_TEST_CASE(what_is_new_is_remembered_once) {
  for (const bool known : {false, true}) {
    int told = 0;
    seed_fallback fallback(wish::automatic, known, [&told] { ++told; });
    fallback.saw_native();
    fallback.saw_native();
    BOOST_TEST(told == (known ? 0 : 1));
  }
}

BOOST_AUTO_TEST_SUITE_END()
