// A client that knows the secret and says whatever it likes, to a whole session of the server: multiplexer,
// control stream, ports, visitors, carriers that break and come back.
//
// Input: one byte of configuration, then steps. A step is one byte: below 192 it is a number of bytes that
// the client says (taken from the input); else something happens around the session. After each step the
// session does all that it can do at once. Its count of memory stays sane.
#include "gotunnel/reverse/server_session.hpp"

#include "fuzz/fuzz_input.hpp"

#include "gotunnel/base/log.hpp"
#include "gotunnel/base/memory_budget.hpp"
#include "gotunnel/net/descriptor.hpp"
#include "support/memory_stream.hpp"

#include <boost/asio/io_context.hpp>

#include <array>
#include <cstdlib>
#include <deque>

#include <sys/socket.h>

using namespace gotunnel;
using namespace gotunnel::reverse;
using gotunnel::testing::memory_pair;
using gotunnel::testing::require;

namespace {

// Many times what an input can bring; a count that has gone below zero is more.
constexpr std::uint64_t most_memory = 1 << 30;
// The least that the kernel grants: visitors who do not read are felt soon.
constexpr int small_buffer = 1;

constexpr wire::peer_id number(int value) { return {static_cast<std::byte>(value)}; }

wire::port_set no_ports() { return std::get<wire::port_set>(wire::port_set::parse("1")); }

class stage {
public:
  explicit stage(bytes_view input) : input_(input), flags_(input_.next()) {
    link::admitted peer;
    line_ = testing::make_memory_pair(where_);
    peer.carrier = std::move(line_.b);
    client_ = std::move(line_.a);
    peer.native = (flags_ & 1) == 0;
    if ((flags_ & 2) != 0) peer.capabilities = static_cast<std::uint32_t>(wire::capability::stream_reset);
    if (peer.native && (flags_ & 4) != 0) peer.resume_window = 1h;
    peer.hello.client = number(1);
    peer.hello.instance = number(2);
    peer.session = number(3);
    session_ = std::make_shared<server_session>(where_, where_, ports_, std::move(peer));
    if (session_->resumes()) book_.add(session_->id(), session_);
    service_.spawn("session", serve());
    settle();
  }

  void run() {
    while (!input_.empty() && !over_) {
      const unsigned step = input_.next();
      if (step < 192)
        say(input_.take(step));
      else
        happen(step % 16);
      settle();
      require(memory_budget::of_process().waiting() < most_memory);
    }
    finish();
  }

private:
  asio::awaitable<void> serve() {
    co_await session_->run();
    over_ = true;
  }
  void settle() {
    context_.restart();
    context_.poll();
  }

  void say(bytes_view bytes) {
    heard_ += bytes.size();
    tasks_.spawn("client says", write(std::vector<std::byte>(bytes.begin(), bytes.end())));
    tasks_.spawn("client hears", listen());
  }
  asio::awaitable<void> write(std::vector<std::byte> bytes) {
    if (client_) (void)co_await client_->write(bytes);
  }
  /// What the server has said so far is taken off the line, unread.
  asio::awaitable<void> listen() {
    if (!client_ || line_.at_a->waiting() == 0) co_return;
    const auto bytes = co_await client_->read();
    if (bytes) client_->consume(bytes->size());
  }

  void happen(unsigned what) {
    if (what == 15) return read_all();
    switch (what % 8) {
    case 0: return welcome();
    case 1:
      if (!visitors_.empty()) (void)::send(visitors_.back().get(), "hello", 5, MSG_NOSIGNAL | MSG_DONTWAIT);
      return;
    case 2:
      if (!visitors_.empty()) ::shutdown(visitors_.front().get(), SHUT_WR);
      return;
    case 3:
      if (!visitors_.empty()) visitors_.pop_front();
      return;
    case 4: return line_.at_b->cut(errc::reset);
    case 5: tasks_.spawn("resume", come_back(input_.next(), input_.next())); return;
    case 6: return session_->ping(1ms, [this](bool) { ++pongs_; });
    default: return session_->stop((flags_ & 8) != 0 ? 1h : 0s);
    }
  }
  /// Every visitor takes what there is for it, and makes room for more.
  void read_all() {
    std::array<char, 64UL * 1024> room;
    for (const auto& each : visitors_)
      while (::recv(each.get(), room.data(), room.size(), MSG_DONTWAIT) > 0) {
      }
  }
  void welcome() {
    std::array<int, 2> pair{};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) == 0);
    (void)::setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small_buffer, sizeof small_buffer);
    visitors_.emplace_back(pair[0]);
    asio::ip::tcp::socket socket(where_);
    socket.assign(asio::ip::tcp::v4(), pair[1]);
    const asio::ip::tcp::endpoint from(asio::ip::make_address_v4("192.0.2.9"), 4711);
    (void)session_->welcome(
        {std::move(socket), from, 1, visitor_ticket(counted_), visitor_quota::readmit(crowd_, {})});
  }
  asio::awaitable<void> come_back(unsigned generation, unsigned missing) {
    wire::client_hello hello;
    hello.client = number(1);
    hello.instance = number(generation % 16 == 15 ? 9 : 2);
    hello.session = number(3);
    hello.generation = generation;
    hello.received = line_.at_b->written() - std::min<std::uint64_t>(missing, line_.at_b->written());
    auto on = co_await book_.ask(hello);
    if (!on) co_return;
    require(on->received <= heard_);
    line_ = testing::make_memory_pair(where_);
    client_ = std::move(line_.a);
    on->go_on(std::move(line_.b));
  }

  void finish() {
    visitors_.clear();
    line_.at_b->cut(errc::reset);
    if (!over_) session_->superseded();
    ports_.close();
    tasks_.cancel();
    context_.restart();
    while (!over_ && context_.run_one_for(20s) > 0) {
    }
    require(over_);
    settle();
    require(service_.size() == 0 && tasks_.size() == 0 && *counted_ == 0);
  }

  testing::fuzz_input input_;
  unsigned flags_;
  asio::io_context context_{1};
  net::executor where_ = context_.get_executor();
  port_book ports_{where_, {{asio::ip::address_v4::loopback()}, no_ports()}};
  resume_book book_{where_};
  net::task_group service_{where_, "fuzz"};
  net::task_group tasks_{where_, "fuzz"}; ///< the client's
  memory_pair line_;
  net::stream_ptr client_;
  std::shared_ptr<server_session> session_;
  std::deque<net::descriptor> visitors_;
  std::shared_ptr<visitor_ticket::count> counted_ = std::make_shared<visitor_ticket::count>(0);
  visitor_crowd_ptr crowd_ = visitor_quota({}).crowd_of(std::nullopt);
  std::uint64_t heard_ = 0; ///< bytes that were said to the server, some of them in vain
  int pongs_ = 0;
  bool over_ = false;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const log::listener nobody = [](log::level, std::string_view, std::string_view) {};
  log::divert(&nobody);
  stage(std::as_bytes(std::span{data, size})).run();
  return 0;
}
