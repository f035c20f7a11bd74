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

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace gotunnel::app {
namespace {

constexpr std::size_t request_limit = 256;
constexpr std::size_t answer_size_limit = 1024 * 1024;
constexpr std::size_t conversations_limit = 8;
constexpr duration conversation_limit = 5s;

/// In UTF-8, as JSON must be, whatever it quotes.
std::string refusal(std::string_view why) {
  return boost::json::serialize(boost::json::object{{"error", printable(why)}});
}

constexpr std::size_t path_limit = sizeof(sockaddr_un::sun_path) - 1;

/// A path to what is open, or to a name in it: short, and always the same directory.
std::string path_through(int handle, std::string_view name = {}) {
  return fmt::format("/proc/self/fd/{}{}{}", handle, name.empty() ? "" : "/", name);
}

/// Without /proc only a path will do, when it is short enough.
result<std::string> path_of(std::string through, const std::filesystem::path& itself) {
  if (::access("/proc/self/fd", X_OK) == 0) return through;
  if (itself.native().size() > path_limit) return make_error_code(boost::system::errc::filename_too_long);
  return itself.native();
}

/// Somebody listens there: at once, or with more askers in line than there is room for.
bool answered(const net::executor& where, const std::string& path) {
  asio::local::stream_protocol::socket probe(where);
  error_code ec;
  probe.open({}, ec);
  if (!ec) probe.non_blocking(true, ec);
  if (!ec) probe.connect(asio::local::stream_protocol::endpoint(path), ec);
  return !ec || ec == asio::error::would_block || ec == asio::error::try_again;
}

/// Runs what answers a request; nothing is said when it throws.
asio::awaitable<void> keep_answer(const control_socket::handler& from, std::optional<std::string>& said) {
  std::string answer = co_await from();
  said = std::move(answer);
}

asio::awaitable<void> ask(std::string at, std::string request, duration limit, result<std::string>& outcome) {
  const auto where = co_await asio::this_coro::executor;
  wire::unix_path path{at};
  auto socket = co_await net::dial(std::move(path), conversation_limit);
  if (!socket) {
    outcome = socket.error();
    co_return;
  }
  net::socket_stream stream(std::move(*socket), net::socket_stream::purpose::visitor, at);
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
  open(directory, succeeds);
}

void control_socket::close() {
  closed_ = true;
  if (!acceptor_.is_open()) return;
  error_code ignored;
  acceptor_.close(ignored);
  if (identity() != made_) return;
  [[maybe_unused]] const auto gone = directory_->remove(control_socket_name);
}

/// Which file has our name now; none: zeros.
std::pair<dev_t, ino_t> control_socket::identity() const {
  struct ::stat there {};
  if (::fstatat(directory_->handle(), control_socket_name, &there, AT_SYMLINK_NOFOLLOW) != 0) return {};
  return {there.st_dev, there.st_ino};
}

void control_socket::open(const std::filesystem::path& directory, bool succeeds) {
  const auto give_up = [this](std::string_view why) {
    error_code ignored;
    acceptor_.close(ignored);
    trouble_ = fmt::format("{}: {}; `gotunnel server status` and `reload` will not reach this server",
                           path_.string(), why);
  };
  trouble_.clear();
  auto opened = net::directory::open(directory);
  if (!opened) return give_up(opened.error().message());
  directory_ = std::move(*opened);
  if (const std::string taken = take_place(succeeds); !taken.empty()) return give_up(taken);
  const auto path = path_of(path_through(directory_->handle(), control_socket_name), path_);
  if (!path)
    return give_up(fmt::format(
        "longer than the {} bytes that a socket's path may have where there is no /proc", path_limit));
  error_code ec;
  acceptor_.open({}, ec);
  if (ec) return give_up(ec.message());
  // The file that bind() makes gets the mode of the socket (unix(7)): no other thread's files are in between,
  // as they would be with umask().
  if (::fchmod(acceptor_.native_handle(), 0600) != 0) return give_up(net::last_error().message());
  acceptor_.bind(protocol::endpoint(*path), ec);
  if (!ec) acceptor_.listen(static_cast<int>(conversations_limit), ec);
  if (ec) return give_up(ec.message());
  made_ = identity();
}

/// Removes a socket that nobody listens on. Why the name cannot be had; empty: it can.
std::string control_socket::take_place(bool succeeds) {
  const auto there = directory_->look(control_socket_name);
  if (!there) return there.error().message();
  if (*there == net::directory::entry::none) return {};
  if (*there != net::directory::entry::socket) return "something that is no socket has that name; remove it";
  // What is asked is what was looked at.
  const auto place = directory_->place(control_socket_name);
  const auto path = place ? path_of(path_through(place->get()), path_) : place.error();
  if (!succeeds && path && answered(where_, *path)) return "another server has this directory";
  if (const auto removed = directory_->remove(control_socket_name); !removed)
    return removed.error().message();
  return {};
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
        open(path_.parent_path(), identity() == made_);
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

namespace {

/// Through what is open from here on, so that it is a socket of that directory, whatever happens to its name.
result<net::descriptor> find_socket(const std::filesystem::path& directory) {
  const auto opened = net::directory::open(directory);
  if (!opened) return opened.error();
  const auto there = opened->look(control_socket_name);
  if (!there) return there.error();
  if (*there != net::directory::entry::none && *there != net::directory::entry::socket)
    return make_error_code(boost::system::errc::not_a_socket);
  return opened->place(control_socket_name);
}

} // namespace

std::string ask_server(const std::filesystem::path& directory, std::string_view request, duration limit) {
  const auto give_up = [&directory](const error_code& why) {
    return usage_error(fmt::format("-certs \"{}\": no running server answers there: {}; name the -certs "
                                   "directory of the server, and run this as its user",
                                   directory.string(), why.message()));
  };
  const auto found = find_socket(directory);
  if (!found) throw give_up(found.error());
  const auto at = path_of(path_through(found->get()), directory / control_socket_name);
  if (!at) throw give_up(at.error());
  asio::io_context context(1);
  result<std::string> outcome = make_error_code(errc::closed);
  net::task_group tasks(context.get_executor(), "app");
  tasks.spawn("ask", ask(*at, std::string(request), limit, outcome));
  context.run();
  if (!outcome) throw give_up(outcome.error());
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
