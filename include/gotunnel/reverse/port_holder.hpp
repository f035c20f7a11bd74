// What the book of ports wants of a session that holds a port, and the visitor that it hands to it.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/net/task.hpp"
#include "gotunnel/reverse/visitor_quota.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace gotunnel::reverse {

namespace asio = boost::asio;

/// Counts one visitor of a holder for as long as it exists. Created on the front worker, and dropped wherever
/// the visitor ends.
class visitor_ticket {
public:
  using count = std::atomic<std::size_t>;

  explicit visitor_ticket(std::shared_ptr<count> at) noexcept : at_(std::move(at)) { ++*at_; }
  visitor_ticket(visitor_ticket&&) noexcept = default;
  visitor_ticket& operator=(visitor_ticket&&) = delete;
  ~visitor_ticket() {
    if (at_) --*at_;
  }

private:
  std::shared_ptr<count> at_; ///< none once it was moved from
};

/// A connection to a public port, on its way to a session that holds the port.
struct visitor {
  visitor(asio::ip::tcp::socket connection, asio::ip::tcp::endpoint from, std::uint64_t service_id,
          visitor_ticket counted, visitor_seat place)
      : socket(std::move(connection)), peer(std::move(from)), service(service_id), ticket(std::move(counted)),
        seat(std::move(place)) {}

  asio::ip::tcp::socket socket;
  asio::ip::tcp::endpoint peer;
  std::uint64_t service; ///< id of the holder's bind
  visitor_ticket ticket; ///< of the holder
  visitor_seat seat;     ///< of the server
};

/// Every call is made on the session's own worker, `where()`, apart from where() itself.
class port_holder {
public:
  virtual ~port_holder() = default;

  [[nodiscard]] virtual net::executor where() const = 0;
  /// The visitor comes back when the session is over and has no use for it.
  [[nodiscard]] virtual std::optional<visitor> welcome(visitor who) = 0;
  /// Calls `answer` once, here: true as soon as the client answers a ping, false when `limit` passes or the
  /// session ends.
  virtual void ping(duration limit, std::function<void(bool)> answer) = 0;
  /// A newer session of the same client has taken the port, or this one's place at it; this one ends.
  virtual void superseded() = 0;
};

using holder_ptr = std::shared_ptr<port_holder>;

} // namespace gotunnel::reverse
