#include "gotunnel/base/counters.hpp"

#include "reverse/book_bench.hpp"
#include "support/refuses.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::reverse;
namespace code = wire::control_code;

BOOST_AUTO_TEST_SUITE(port_book_test)

BOOST_AUTO_TEST_CASE(visitors_of_a_port_go_to_its_holder) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor);
    const auto holder = on.holder();
    const auto port = co_await on.bind(holder, 0, 1, 1);
    BOOST_TEST_REQUIRE(port != 0);
    const auto first = loopback_socket::connect(port);
    const auto second = loopback_socket::connect(port);
    co_await until([&] { return holder->visitors.size() == 2; });
    BOOST_TEST(holder->visitors[0].service == 5U);
    BOOST_TEST(holder->visitors[0].peer.address().to_string() == "127.0.0.1");
    co_await on.finish();
    BOOST_TEST(refuses(port));
  });
}

BOOST_AUTO_TEST_CASE(visitors_of_other_networks_are_closed_at_once) {
  run([](log_capture& log) -> asio::awaitable<void> {
    const auto networks = std::get<wire::cidr_set>(wire::cidr_set::parse("10.0.0.0/8,::/0"));
    const auto before = counters::value(counter::visitors_not_allowed);
    book_bench on(co_await asio::this_coro::executor, "1-65535", networks);
    const auto holder = on.holder();
    const auto port = co_await on.bind(holder, 0, 1, 1);
    BOOST_TEST_REQUIRE(port != 0);
    for (std::uint64_t i = 1; i <= 2; ++i) {
      const auto visitor = loopback_socket::connect(port);
      co_await until([&] { return counters::value(counter::visitors_not_allowed) == before + i; });
      BOOST_TEST(visitor.read(1).empty());
    }
    BOOST_TEST(holder->visitors.empty());
    log.expect("is not in -allow-visitors"); // once a second
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(who_may_take_a_held_port) {
  struct rule {
    const char* what;
    int held_by, held_instance;
    int asks, asks_instance;
    bool alive;
    std::string_view answer; ///< empty: taken over
    int pings;
  };
  // Clients are numbers, 0 is a seed peer.
  const rule rules[] = {
      {"the same process again", 1, 1, 1, 1, true, "", 0},
      {"another process of a client that is gone", 1, 1, 1, 2, false, "", 1},
      {"another process of a client that lives", 1, 1, 1, 2, true, code::live_copy, 1},
      {"another client", 1, 1, 2, 1, false, code::port_held, 0},
      {"a seed peer of a native one", 1, 1, 0, 0, false, code::port_held, 0},
      {"a native one of a seed peer", 0, 0, 1, 1, false, code::port_held, 0},
      {"a seed peer of a seed peer", 0, 0, 0, 0, false, code::port_held, 0},
  };
  for (const rule& each : rules) {
    BOOST_TEST_CONTEXT(each.what) {
      run([&each](log_capture&) -> asio::awaitable<void> {
        book_bench on(co_await asio::this_coro::executor);
        const auto old = on.holder();
        const auto fresh = on.holder();
        old->alive = each.alive;
        const auto port = co_await on.bind(old, 0, each.held_by, each.held_instance);
        BOOST_TEST_REQUIRE(port != 0);
        const auto taken = co_await on.bind(fresh, port, each.asks, each.asks_instance);
        BOOST_TEST(taken == (each.answer.empty() ? port : 0));
        BOOST_TEST(on.refusal.code == each.answer);
        // Who it is is nobody else's business.
        if (each.answer == code::port_held) {
          BOOST_TEST(on.refusal.message.find("192.0.2.7") == std::string::npos);
          BOOST_TEST(!on.refusal.free_in_ms.has_value());
        }
        co_await yield(3);
        BOOST_TEST(old->pings == each.pings);
        BOOST_TEST(old->replaced == (each.answer.empty() ? 1 : 0));
        const auto visitor = loopback_socket::connect(port);
        co_await until([&] { return old->visitors.size() + fresh->visitors.size() == 1; });
        // The accept that was already waiting may have been for the old holder's worker, not for the old
        // holder.
        BOOST_TEST(fresh->visitors.size() == (each.answer.empty() ? 1U : 0U));
        // The loser of a takeover gives back what it no longer has: that changes nothing.
        if (each.answer.empty()) on.book.release_all(*old);
        BOOST_TEST(!refuses(port));
        co_await on.finish();
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(a_session_cannot_have_one_port_twice) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor);
    const auto holder = on.holder();
    const auto port = co_await on.bind(holder, 0, 1, 1);
    const auto again = co_await on.bind(holder, port, 1, 1);
    BOOST_TEST(again == 0);
    BOOST_TEST(on.refusal.code == code::duplicate_bind);
    const auto another = co_await on.bind(holder, 0, 1, 1);
    BOOST_TEST(another != 0);
    BOOST_TEST(another != port);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_client_has_64_ports_by_however_many_sessions) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor);
    std::vector<std::shared_ptr<fake_holder>> sessions{on.holder(), on.holder()};
    std::uint16_t port = 0;
    for (std::size_t i = 0; i < ports_of_a_client; ++i) {
      port = co_await on.bind(sessions[i % 2], 0, 1, static_cast<int>(i % 2));
      BOOST_TEST_REQUIRE(port != 0);
    }
    for (const auto& each : sessions) {
      const auto more = co_await on.bind(each, 0, 1, 1);
      BOOST_TEST(more == 0);
      BOOST_TEST(on.refusal.code == code::too_many_binds);
    }
    // Another client is not concerned, and one's own port can still be taken over.
    const auto other = co_await on.bind(on.holder(), 0, 2, 1);
    BOOST_TEST(other != 0);
    const auto again = co_await on.bind(on.holder(), port, 1, 1);
    BOOST_TEST(again == port);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_port_whose_visitors_have_no_seat_refuses_them_and_counts) {
  run([](log_capture& log) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    book_bench on(where, {{asio::ip::address_v4::loopback()}, allow("1-65535"), {}, 2s, {100, 2}});
    const auto before = counters::value(counter::visitors_crowded);
    const auto holder = on.holder();
    const auto port = co_await on.bind(holder, 0, 1, 1);
    std::vector<loopback_socket> visitors;
    for (int i = 0; i < 3; ++i) visitors.push_back(loopback_socket::connect(port));
    co_await until([&] { return counters::value(counter::visitors_crowded) == before + 1; });
    BOOST_TEST(holder->visitors.size() == 2U);
    log.expect("raise -max-visitors-per-address");
    holder->visitors.clear();
    const auto next = loopback_socket::connect(port);
    co_await until([&] { return holder->visitors.size() == 1; });
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(ports_that_are_not_allowed_or_not_free_are_refused_with_what_to_do) {
  run([](log_capture&) -> asio::awaitable<void> {
    const loopback_listener other; // not ours, on this machine
    book_bench on(co_await asio::this_coro::executor, "1024-65535");
    const auto holder = on.holder();
    auto got = co_await on.bind(holder, 80, 1, 1);
    BOOST_TEST(got == 0);
    BOOST_TEST(on.refusal.code == code::port_not_allowed);
    BOOST_TEST(on.refusal.message.find("1024-65535") != std::string::npos);
    got = co_await on.bind(holder, other.port(), 1, 1);
    BOOST_TEST(got == 0);
    BOOST_TEST(on.refusal.code == code::port_unavailable);
    co_await on.finish();
    got = co_await on.bind(holder, 0, 1, 1);
    BOOST_TEST(got == 0);
    BOOST_TEST(on.refusal.code == code::shutting_down);
  });
}

BOOST_AUTO_TEST_CASE(the_book_chooses_among_the_allowed_ports) {
  run([](log_capture&) -> asio::awaitable<void> {
    // Below the range that the kernel chooses from, so that the book must look for itself.
    book_bench on(co_await asio::this_coro::executor, "20000-29999");
    const auto holder = on.holder();
    for (int i = 0; i < 3; ++i) {
      const auto port = co_await on.bind(holder, 0, 1, 1);
      BOOST_TEST(port >= 20000);
      BOOST_TEST(port <= 29999);
    }
    co_await on.finish();

    const loopback_listener taken;
    const std::string only = std::to_string(taken.port());
    book_bench full(co_await asio::this_coro::executor, only.c_str());
    const auto nothing = co_await full.bind(full.holder(), 0, 1, 1);
    BOOST_TEST(nothing == 0);
    BOOST_TEST(full.refusal.code == code::port_unavailable);
    co_await full.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_released_port_is_closed_and_free_for_others) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor);
    const auto holder = on.holder();
    const auto other = on.holder();
    const auto one = co_await on.bind(holder, 0, 1, 1);
    const auto two = co_await on.bind(holder, 0, 1, 1);
    const auto three = co_await on.bind(other, 0, 2, 1);
    on.book.release(*other, one); // not its port
    BOOST_TEST(!refuses(one));
    on.book.release(*holder, one);
    BOOST_TEST(refuses(one));
    BOOST_TEST(!refuses(two));
    const auto again = co_await on.bind(other, one, 2, 1);
    BOOST_TEST(again == one);
    on.book.release_all(*other);
    BOOST_TEST(refuses(one));
    BOOST_TEST(refuses(three));
    BOOST_TEST(!refuses(two));
    co_await on.finish();
  });
}

// While the old session is asked whether it lives, anything may happen to the port.
BOOST_AUTO_TEST_CASE(what_changes_while_the_holder_is_asked_is_seen) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    book_bench on(where);
    const auto old = on.holder();
    const auto fresh = on.holder();
    const auto foreign = on.holder();
    old->alive = false;
    const auto port = co_await on.bind(old, 0, 1, 1);

    // The old session goes, and another client gets the port.
    net::task_group tasks(where, "test");
    std::uint16_t theirs = 0;
    const auto grab = [](book_bench& b, holder_ptr who, std::uint16_t wanted,
                         std::uint16_t& got) -> asio::awaitable<void> {
      got = co_await b.bind(who, wanted, 2, 1);
    };
    old->while_asked = [&] {
      on.book.release_all(*old);
      tasks.spawn("grab", grab(on, foreign, port, theirs));
    };
    const auto taken = co_await on.bind(fresh, port, 1, 2);
    co_await tasks.join();
    BOOST_TEST((taken == 0) != (theirs == 0)); // one of them has it, whoever it is
    BOOST_TEST(foreign->replaced == 0);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(closed_while_the_holder_is_asked_it_opens_nothing) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor);
    const auto old = on.holder();
    old->alive = false;
    const auto port = co_await on.bind(old, 0, 1, 1);
    old->while_asked = [&on] { on.book.close(); };
    const auto taken = co_await on.bind(on.holder(), port, 1, 2);
    BOOST_TEST(taken == 0);
    BOOST_TEST(on.refusal.code == code::shutting_down);
    co_await on.book.join();
    BOOST_TEST(refuses(port));
  });
}

BOOST_AUTO_TEST_SUITE_END()
