#include "gotunnel/reverse/local_visits.hpp"

#include <boost/test/unit_test.hpp>

#include <list>

using namespace gotunnel;
using gotunnel::reverse::local_visits;

namespace {

local_visits::connection between(std::uint16_t from, std::uint16_t to, bool v6 = false) {
  local_visits::connection made;
  made.source.port = from;
  made.destination.port = to;
  made.source.v6 = made.destination.v6 = v6;
  return made;
}

} // namespace

BOOST_AUTO_TEST_SUITE(local_visits_test)

BOOST_AUTO_TEST_CASE(so_many_at_once_and_no_more) {
  local_visits visits(2);
  std::list<local_visits::visit> here;
  BOOST_TEST(here.emplace_back(visits).admitted());
  BOOST_TEST(here.emplace_back(visits).admitted());
  BOOST_TEST(!here.emplace_back(visits).admitted());
  BOOST_TEST(visits.size() == 2U);
  here.pop_back();
  BOOST_TEST(visits.size() == 2U);
  here.pop_front();
  BOOST_TEST(here.emplace_back(visits).admitted());
}

BOOST_AUTO_TEST_CASE(a_dial_that_comes_back_is_recognized_whichever_end_is_known_first) {
  local_visits visits;
  local_visits::visit outer(visits);
  BOOST_TEST(!outer.came_by(between(1, 8080)));
  BOOST_TEST(!outer.dialled(between(2, 8080)));
  local_visits::visit back(visits);
  BOOST_TEST(back.came_by(between(2, 8080)));

  local_visits::visit early(visits);
  BOOST_TEST(!early.came_by(between(3, 8080)));
  local_visits::visit late(visits);
  BOOST_TEST(late.dialled(between(3, 8080)));
}

BOOST_AUTO_TEST_CASE(another_connection_from_the_same_port_is_no_loop) {
  local_visits visits;
  local_visits::visit one(visits);
  BOOST_TEST(!one.dialled(between(2, 80)));
  local_visits::visit other(visits);
  BOOST_TEST(!other.came_by(between(2, 8080)));
  BOOST_TEST(!other.came_by(between(2, 80, true)));
  // Two visitors by the same pair of addresses, one of which has gone unnoticed, are none either.
  local_visits::visit again(visits);
  BOOST_TEST(!again.came_by(between(2, 80, true)));
}

BOOST_AUTO_TEST_CASE(what_is_over_is_forgotten) {
  local_visits visits;
  {
    local_visits::visit gone(visits);
    BOOST_TEST(!gone.dialled(between(2, 8080)));
    local_visits::visit twin(visits);
    BOOST_TEST(!twin.dialled(between(2, 8080)));
  }
  local_visits::visit later(visits);
  BOOST_TEST(!later.came_by(between(2, 8080)));
}

BOOST_AUTO_TEST_SUITE_END()
