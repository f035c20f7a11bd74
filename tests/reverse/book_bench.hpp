// A book of ports with holders that only remember what happened to them.
#pragma once

#include "gotunnel/reverse/port_book.hpp"

#include "reverse/fake_holder.hpp"
#include "support/loopback.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"

#include <string>

namespace gotunnel::testing {

using namespace reverse;

inline wire::peer_id peer_number(int value) {
  wire::peer_id made{};
  made[0] = static_cast<std::byte>(value);
  return made;
}

inline wire::port_set allow(const char* ports) {
  return std::get<wire::port_set>(wire::port_set::parse(ports));
}

struct book_bench {
  explicit book_bench(const net::executor& at, const char* ports = "1-65535",
                      const wire::cidr_set& visitors = {}, duration hold = 2s)
      : book_bench(at, {{asio::ip::address_v4::loopback()}, allow(ports), visitors, hold, {}}) {}
  book_bench(const net::executor& at, port_policy policy) : where(at), book(at, std::move(policy)) {}

  std::shared_ptr<fake_holder> holder() const { return std::make_shared<fake_holder>(where); }

  /// `client` 0 is a seed peer.
  bind_question question(const holder_ptr& who, std::uint16_t port, int client, int instance,
                         std::uint8_t carrier) const {
    bind_question asked;
    asked.port = port;
    asked.service = 5;
    asked.carrier = carrier;
    asked.holder = who;
    asked.client_address = "192.0.2.7:1234";
    if (client != 0) asked.identity.emplace(peer_number(client), peer_number(instance));
    return asked;
  }
  /// The port, or 0 and `refusal`.
  asio::awaitable<std::uint16_t> bind(holder_ptr who, std::uint16_t port, int client, int instance,
                                      std::uint8_t carrier = 0) {
    auto asked = question(who, port, client, instance, carrier);
    const auto answer = co_await book.bind(std::move(asked));
    co_await yield(3); // the book's task, which ends after its answer, has gone too
    refusal = {};
    if (const auto* bound = std::get_if<wire::bound_answer>(&answer)) {
      BOOST_TEST(bound->id == 5U);
      BOOST_TEST(bound->address == "127.0.0.1:" + std::to_string(bound->port));
      BOOST_TEST(bound->carrier == carrier);
      co_return bound->port;
    }
    refusal = std::get<wire::error_answer>(answer);
    BOOST_TEST(refusal.id.value() == 5U);
    BOOST_TEST(!refusal.message.empty());
    co_return std::uint16_t{0};
  }
  asio::awaitable<void> finish() {
    book.close();
    co_await book.join();
  }

  net::executor where;
  port_book book;
  wire::error_answer refusal;
};

} // namespace gotunnel::testing
