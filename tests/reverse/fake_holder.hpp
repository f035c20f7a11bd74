// A holder of ports that keeps its visitors, for tests of the book.
#pragma once

#include "gotunnel/reverse/port_holder.hpp"

#include <vector>

namespace gotunnel::testing {

class fake_holder final : public reverse::port_holder {
public:
  explicit fake_holder(net::executor where) : where_(std::move(where)) {}

  net::executor where() const override { return where_; }
  std::optional<reverse::visitor> welcome(reverse::visitor who) override {
    if (over) {
      ++turned_away;
      return who;
    }
    visitors.push_back(std::move(who));
    return std::nullopt;
  }
  void ping(duration, std::function<void(bool)> answer) override {
    ++pings;
    if (while_asked) while_asked();
    answer(alive);
  }
  void superseded() override { ++replaced; }

  bool alive = true; ///< answers pings
  bool over = false; ///< has no use for visitors
  std::function<void()> while_asked;
  int pings = 0;
  int replaced = 0;
  int turned_away = 0;
  std::vector<reverse::visitor> visitors;

private:
  net::executor where_;
};

} // namespace gotunnel::testing
