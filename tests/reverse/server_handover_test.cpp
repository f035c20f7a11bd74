// A whole server that hands over to another one in the same process, over a line that may break at any
// parcel.
#include "gotunnel/reverse/server.hpp"

#include "gotunnel/base/log.hpp"
#include "gotunnel/reverse/carrier_group.hpp"

#include "support/gate.hpp"
#include "support/loopback.hpp"
#include "support/print_error.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>

#include <future>
#include <optional>
#include <system_error>
#include <thread>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::reverse;

namespace {

wire::port_set all_ports() { return std::get<wire::port_set>(wire::port_set::parse("1-65535")); }

net::door::addresses two_addresses() {
  return {asio::ip::make_address("127.0.0.1"), asio::ip::make_address("127.0.0.2")};
}

bool listened_on(const asio::ip::address& address, std::uint16_t port) {
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  error_code ec;
  socket.connect({address, port}, ec);
  return !ec;
}

/// A server with workers of its own, which begin with start(); all its doors have two addresses.
class served {
public:
  explicit served(std::size_t workers = 2)
      : pool_(workers),
        server_(pool_, {{two_addresses(), all_ports()}, right_keys(), *tls_contexts::common().server}) {}
  served(const served&) = delete;
  served& operator=(const served&) = delete;
  ~served() {
    if (!thread_.joinable()) return;
    auto stop = [this]() -> asio::awaitable<void> {
      co_await server_.stop(0s);
      pool_.release();
    };
    asio::co_spawn(pool_.front().where(), stop, asio::use_future).wait();
    thread_.join();
  }

  [[nodiscard]] server& get() noexcept { return server_; }
  void open() { server_.start(net::door::open(pool_.front().where(), two_addresses(), 0).value()); }
  void start() {
    thread_ = std::thread([this] { pool_.run(); });
  }
  std::future<result<handover_receipt>> hand_over(net::parcel_socket& next, duration limit = handover_limit) {
    return asio::co_spawn(pool_.front().where(), server_.hand_over(next, limit), asio::use_future);
  }

private:
  net::worker_pool pool_;
  server server_;
  std::thread thread_;
};

/// A client of it, on a worker of its own, whose local service is `target`.
class visited {
public:
  visited(std::uint16_t tunnel_port, std::uint16_t target, std::uint8_t carriers)
      : client_(pool_.front().where(), options(tunnel_port, target), carriers,
                [this](const wire::bound_answer& bound) {
                  if (!told_) port_.set_value(bound.port);
                  told_ = true;
                }) {
    auto run = [this]() -> asio::awaitable<void> {
      co_await client_.run();
      pool_.release();
    };
    asio::co_spawn(pool_.front().where(), run, asio::use_future);
    thread_ = std::thread([this] { pool_.run(); });
  }
  visited(const visited&) = delete;
  visited& operator=(const visited&) = delete;
  ~visited() {
    asio::post(pool_.front().where(), [this] { client_.stop(0s); });
    thread_.join();
  }
  std::uint16_t port() { return port_.get_future().get(); }

private:
  static client_options options(std::uint16_t tunnel_port, std::uint16_t target) {
    link::dial_options way{
        {"127.0.0.1", tunnel_port}, *tls_contexts::common().client, link::always(right_keys())};
    way.client.fill(std::byte{1});
    way.instance.fill(std::byte{2});
    way.resume_window = 30s;
    client_options made{std::move(way)};
    made.remote_port = 0;
    made.target = wire::host_port{"127.0.0.1", target};
    return made;
  }

  std::promise<std::uint16_t> port_;
  bool told_ = false;
  net::worker_pool pool_{1};
  carrier_group client_;
  std::thread thread_;
};

/// Between two processes: passes `most` parcels on, and breaks off.
class postman {
public:
  explicit postman(std::size_t most)
      : former_(net::parcel_socket::pair().value()), next_(net::parcel_socket::pair().value()),
        thread_([this, most] { carry(most); }) {}
  postman(const postman&) = delete;
  postman& operator=(const postman&) = delete;
  ~postman() { thread_.join(); }

  [[nodiscard]] net::parcel_socket& former() noexcept { return former_.first; }
  [[nodiscard]] net::parcel_socket& next() noexcept { return next_.first; }
  [[nodiscard]] std::size_t carried() const noexcept { return carried_; }

private:
  /// The kind of what was passed on, or nothing.
  std::optional<handover_part> pass(net::parcel_socket& from, net::parcel_socket& to, std::size_t most) {
    if (carried_ == most) return std::nullopt;
    const auto got = from.receive(10s);
    if (!got || got->bytes.empty()) return std::nullopt;
    if (!to.send(got->bytes, 10s, got->attached ? got->attached.get() : -1)) return std::nullopt;
    ++carried_;
    return static_cast<handover_part>(got->bytes.front());
  }
  void carry(std::size_t most) {
    net::parcel_socket& former = former_.second;
    net::parcel_socket& next = next_.second;
    auto part = pass(next, former, most); // ready
    while (part && *part != handover_part::end) part = pass(former, next, most);
    if (part) part = pass(next, former, most); // taken
    if (part) part = pass(former, next, most); // go
    former = parcel_socket_of_nobody();
    next = parcel_socket_of_nobody();
  }
  static net::parcel_socket parcel_socket_of_nobody() { return net::parcel_socket(net::descriptor()); }

  std::pair<net::parcel_socket, net::parcel_socket> former_;
  std::pair<net::parcel_socket, net::parcel_socket> next_;
  std::atomic<std::size_t> carried_ = 0;
  std::thread thread_;
};

/// Echoes one byte after the other, for visitors that ask again and again; each on a thread of its own.
class echo_service {
public:
  explicit echo_service(std::size_t visitors)
      : thread_([this, visitors] {
          std::vector<std::thread> threads;
          for (std::size_t i = 0; i < visitors; ++i)
            threads.emplace_back([visitor = listener_.accept()] { answer(visitor); });
          for (std::thread& each : threads) each.join();
        }) {}
  echo_service(const echo_service&) = delete;
  echo_service& operator=(const echo_service&) = delete;
  ~echo_service() { thread_.join(); }
  [[nodiscard]] std::uint16_t port() const noexcept { return listener_.port(); }

private:
  static void answer(const loopback_socket& visitor) {
    try {
      for (std::string word = visitor.read(4); word.size() == 4; word = visitor.read(4)) visitor.write(word);
    } catch (const std::system_error&) {
      // The tunnel was taken down around it.
    }
  }

  loopback_listener listener_;
  std::thread thread_;
};

void ask(const loopback_socket& visitor, const std::string& word) {
  visitor.write(word);
  BOOST_TEST(visitor.read(4) == word);
}

/// Whatever is said while carriers break is no news here.
struct quiet_log {
  quiet_log() { log::divert(&nowhere); }
  quiet_log(const quiet_log&) = delete;
  quiet_log& operator=(const quiet_log&) = delete;
  ~quiet_log() { log::divert(nullptr); }
  log::listener nowhere = [](log::level, std::string_view, std::string_view) {};
};

} // namespace

BOOST_AUTO_TEST_SUITE(server_handover_test)

BOOST_AUTO_TEST_CASE(broken_off_at_any_parcel_nothing_has_changed_and_at_last_everything_goes_over) {
  const quiet_log log;
  for (const std::uint8_t carriers : {std::uint8_t{1}, std::uint8_t{3}}) {
    served former;
    former.open();
    former.start();
    const std::uint16_t tunnel_port = former.get().address().port();
    echo_service echo(3);
    visited client(tunnel_port, echo.port(), carriers);
    const std::uint16_t port = client.port();
    std::vector<loopback_socket> visitors;
    for (int i = 0; i < 3; ++i) {
      visitors.push_back(loopback_socket::connect(port));
      ask(visitors.back(), "one.");
    }

    // ready, door and another listener, the sessions, a port and another listener, three visitors, end,
    // taken. The word to go comes last; once it is on its way it cannot be taken back.
    const std::size_t all = 10U + carriers;
    for (std::size_t most = 0; most < all; ++most) {
      served next;
      postman between(most);
      auto handed = former.hand_over(between.former());
      BOOST_TEST(!next.get().take_over(between.next()).has_value());
      BOOST_TEST(!handed.get().has_value());
      for (const auto& each : visitors) ask(each, "two.");
    }

    served next;
    postman between(all + 1);
    auto handed = former.hand_over(between.former());
    const auto taken = next.get().take_over(between.next());
    const auto receipt = handed.get();
    BOOST_TEST_REQUIRE((taken.has_value() && receipt.has_value()));
    BOOST_TEST((receipt->given == *taken));
    BOOST_TEST(taken->sessions == carriers);
    BOOST_TEST(taken->ports == 1U);
    BOOST_TEST(taken->visitors == 3U);
    BOOST_TEST(next.get().address().port() == tunnel_port);
    BOOST_TEST(next.get().tunnel_door().listeners().size() == 2U);
    next.start();
    for (const auto& each : two_addresses()) {
      BOOST_TEST(listened_on(each, tunnel_port));
      BOOST_TEST(listened_on(each, port));
    }
    for (int i = 0; i < 2; ++i)
      for (const auto& each : visitors) ask(each, "more");
    visitors.clear();
  }
}

BOOST_AUTO_TEST_CASE(a_next_process_that_hangs_is_not_waited_for_and_one_after_success_gets_nothing) {
  const quiet_log log;
  served former;
  former.open();
  former.start();
  echo_service echo(1);
  visited client(former.get().address().port(), echo.port(), 1);
  const auto visitor = loopback_socket::connect(client.port());
  ask(visitor, "one.");
  {
    auto ends = net::parcel_socket::pair().value();
    record_writer ready = begin_part(handover_part::ready);
    ready.put(handover_format);
    ready.put(std::uint32_t{1});
    BOOST_TEST(ends.second.send(ready.take(), 5s).has_value());
    BOOST_TEST((former.hand_over(ends.first, 50ms).get().error() == errc::timed_out));
    ask(visitor, "two.");
  }
  {
    auto ends = net::parcel_socket::pair().value();
    record_writer ready = begin_part(handover_part::ready);
    ready.put(handover_format + 1);
    BOOST_TEST(ends.second.send(ready.take(), 5s).has_value());
    BOOST_TEST((former.hand_over(ends.first).get().error() == errc::broken_frame));
    ask(visitor, "and.");
  }
  served next;
  {
    auto ends = net::parcel_socket::pair().value();
    auto handed = former.hand_over(ends.first);
    BOOST_TEST(next.get().take_over(ends.second).has_value());
    BOOST_TEST(handed.get().has_value());
    next.start();
    ask(visitor, "more");
  }
  served nobody;
  auto ends = net::parcel_socket::pair().value();
  auto handed = former.hand_over(ends.first);
  error_code refusal;
  std::thread closer([&] {
    refusal = handed.get().error();
    ends.first = net::parcel_socket(net::descriptor());
  });
  BOOST_TEST(!nobody.get().take_over(ends.second).has_value());
  closer.join();
  BOOST_TEST((refusal == errc::shutting_down));
  ask(visitor, "once");
}

BOOST_AUTO_TEST_SUITE_END()
