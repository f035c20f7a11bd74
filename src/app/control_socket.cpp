#include "gotunnel/app/control_socket.hpp"

#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/base/printable.hpp"
#include "gotunnel/link/greeting_io.hpp"
#include "gotunnel/net/accept_failure.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/last_error.hpp"
#include "gotunnel/net/tcp.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <stdexcept>

#include <sys/stat.h>
#include <sys/un.h>

namespace gotunnel::app {
namespace {

constexpr std::size_t request_limit = 256;
constexpr std::size_t answer_size_limit = 1024 * 1024;
constexpr std::size_t conversations_limit = 8;
constexpr duration conversation_limit = 5s;
constexpr std::size_t path_limit = sizeof(sockaddr_un::sun_path) - 1;

/// In UTF-8, as JSON must be, whatever it quotes.
std::string refusal(std::string_view why) {
  return boost::json::serialize(boost::json::object{{"error", printable(why)}});
}

/// Which file has that name now; none: zeros.
std::pair<dev_t, ino_t> identity_of(const std::filesystem::path& path) {
  struct ::stat there {};
  if (::lstat(path.c_str(), &there) != 0) return {};
  return {there.st_dev, there.st_ino};
}

/// Somebody listens there.
bool answered(const net::executor& where, const asio::local::stream_protocol::endpoint& at) {
  asio::local::stream_protocol::socket probe(where);
  error_code ec;
  probe.connect(at, ec);
  return !ec;
}

/// Runs what answers a request; nothing is said when it throws.
asio::awaitable<void> keep_answer(const control_socket::handler& from, std::optional<std::string>& said) {
  std::string answer = co_await from();
  said = std::move(answer);
}

asio::awaitable<void> ask(std::filesystem::path at, std::string request, duration limit,
                          result<std::string>& outcome) {
  const auto where = co_await asio::this_coro::executor;
  wire::unix_path path{at.string()};
  auto socket = co_await net::dial(std::move(path), conversation_limit);
  if (!socket) {
    outcome = socket.error();
    co_return;
  }
  net::socket_stream stream(std::move(*socket), net::socket_stream::purpose::visitor, at.string());
  // The server has its own limit; who is slower than that has none.
  const net::deadline late(where, limit + conversation_limit,
                           [&stream] { stream.close(net::ending::abort); });
  request += '\n';
  const auto sent = co_await stream.write(as_bytes(request));
  if (!sent) {
    outcome = sent.error();
    co_return;
  }
  outcome = co_await link::read_line(stream, answer_size_limit);
  if (late.expired()) outcome = make_error_code(errc::timed_out);
}

} // namespace

control_socket::control_socket(const net::executor& where, const std::filesystem::path& directory,
                               request_table requests, bool succeeds)
    : where_(where), path_(directory / control_socket_name), requests_(std::move(requests)), acceptor_(where),
      conversations_(where, "app") {
  open(succeeds);
}

void control_socket::close() {
  closed_ = true;
  if (!acceptor_.is_open()) return;
  error_code ignored;
  acceptor_.close(ignored);
  if (identity_of(path_) != made_) return;
  std::error_code gone;
  std::filesystem::remove(path_, gone);
}

void control_socket::open(bool succeeds) {
  const auto give_up = [this](std::string_view why) {
    error_code ignored;
    acceptor_.close(ignored);
    trouble_ = fmt::format("{}: {}; `gotunnel server status` and `reload` will not reach this server",
                           path_.string(), why);
  };
  if (path_.native().size() > path_limit)
    return give_up(fmt::format("longer than the {} bytes that a socket's path may have", path_limit));
  const protocol::endpoint at(path_.string());
  struct ::stat there {};
  if (::lstat(path_.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode)) return give_up("something that is no socket has that name");
    if (!succeeds && answered(where_, at)) return give_up("another server has this directory");
    std::error_code gone;
    std::filesystem::remove(path_, gone);
  }
  trouble_.clear();
  error_code ec;
  acceptor_.open(at.protocol(), ec);
  if (ec) return give_up(ec.message());
  // The file that bind() makes gets the mode of the socket (unix(7)): no other thread's files are in between,
  // as they would be with umask().
  if (::fchmod(acceptor_.native_handle(), 0600) != 0) return give_up(net::last_error().message());
  acceptor_.bind(at, ec);
  if (!ec) acceptor_.listen(static_cast<int>(conversations_limit), ec);
  if (ec) return give_up(ec.message());
  made_ = identity_of(path_);
}

asio::awaitable<void> control_socket::serve() {
  std::exception_ptr thrown;
  try {
    co_await accept_all();
    while (conversations_.size() > 0) co_await conversations_.emptied().wait();
  } catch (...) {
    thrown = std::current_exception();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  conversations_.cancel();
  co_await conversations_.join();
  if (thrown) std::rethrow_exception(thrown);
}

asio::awaitable<void> control_socket::accept_all() {
  std::optional<net::accept_trouble> trouble;
  while (!closed_ && trouble_.empty()) {
    protocol::socket next(where_);
    auto [ec] = co_await acceptor_.async_accept(next, net::token);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (ec == asio::error::operation_aborted || state.cancelled() != asio::cancellation_type::none) co_return;
    if (ec) {
      if (!trouble) trouble.emplace(path_.string());
      const auto kind = trouble->note(ec);
      if (kind == net::accept_failure::passing) continue;
      co_await net::sleep_for(trouble->pause());
      while (kind == net::accept_failure::dead && !closed_) {
        acceptor_.close(ec);
        open(identity_of(path_) == made_);
        if (trouble_.empty()) break;
        trouble->cannot_listen(trouble_);
        co_await net::sleep_for(trouble->pause());
      }
      continue;
    }
    if (trouble) trouble->over();
    trouble.reset();
    if (conversations_.size() >= conversations_limit) continue;
    conversations_.spawn("conversation", converse(std::move(next)));
  }
}

asio::awaitable<void> control_socket::converse(protocol::socket socket) {
  net::socket_stream stream(net::any_socket(std::move(socket)), net::socket_stream::purpose::visitor,
                            path_.string());
  const auto hang_up = [&stream] { stream.close(net::ending::abort); };
  std::string line;
  {
    const net::deadline late(where_, conversation_limit, hang_up);
    const auto asked = co_await link::read_line(stream, request_limit);
    if (!asked) co_return;
    line = *asked;
  }
  line = co_await answer(line);
  line += '\n';
  const net::deadline late(where_, conversation_limit, hang_up);
  const auto sent = co_await stream.write(as_bytes(line));
  if (sent) stream.close(net::ending::graceful);
}

asio::awaitable<std::string> control_socket::answer(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  const auto found = requests_.find(line);
  if (found == requests_.end()) co_return refusal(fmt::format("unknown request \"{}\"", line));
  const request& wanted = found->second;

  std::optional<std::string> said;
  net::task_group work(where_, "app");
  work.spawn(found->first.c_str(), keep_answer(wanted.answer, said));
  const net::deadline late(where_, wanted.limit, [&work] { work.cancel(); });
  std::exception_ptr thrown;
  try {
    while (work.size() > 0) co_await work.emptied().wait();
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown) {
    // Cancelled: without this the next co_await would throw, with the work under way.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    work.cancel();
    co_await work.join();
    std::rethrow_exception(thrown);
  }
  if (said) co_return *std::move(said);
  co_return refusal(late.expired()
                        ? fmt::format("\"{}\" was not done within {} s", line,
                                      std::chrono::duration_cast<std::chrono::seconds>(wanted.limit).count())
                        : fmt::format("\"{}\" failed; the server's log says why", line));
}

std::string ask_server(const std::filesystem::path& directory, std::string_view request, duration limit) {
  const auto at = directory / control_socket_name;
  asio::io_context context(1);
  result<std::string> outcome = make_error_code(errc::closed);
  net::task_group tasks(context.get_executor(), "app");
  tasks.spawn("ask", ask(at, std::string(request), limit, outcome));
  context.run();
  if (!outcome)
    throw usage_error(fmt::format("-certs \"{}\": no running server answers there: {}; name the -certs "
                                  "directory of the server, and run this as its user",
                                  directory.string(), outcome.error().message()));
  while (outcome->ends_with('\n')) outcome->pop_back();
  return *outcome;
}

void refuse_error(std::string_view answer) {
  boost::system::error_code no_json;
  const boost::json::value value = boost::json::parse(answer, no_json);
  const boost::json::object* const object = no_json ? nullptr : value.if_object();
  const boost::json::value* const error = object == nullptr ? nullptr : object->if_contains("error");
  if (error != nullptr && error->is_string()) throw std::runtime_error(error->get_string().c_str());
}

} // namespace gotunnel::app
