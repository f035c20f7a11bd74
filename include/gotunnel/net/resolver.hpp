// Names to addresses: several names at once, one lookup a name, and a short memory.
//
//   const auto found = co_await resolver::of_process().find("example.org", 10s);    // its addresses, at least one
//   resolver::of_process().doubt("example.org");        // they did not work: the next asker gets a new lookup
//
// getaddrinfo() does the work, so /etc/hosts, mDNS and whatever else nsswitch.conf names count, and a change
// of resolv.conf does. Nothing can interrupt it. So each lookup has a thread of its own, for which nobody
// waits: neither an asker whose limit has passed, nor the end of the process.
//
// All who ask for one name share its lookup, and its outcome for a moment (resolver_limits). A lookup that
// fails, or takes longer than `patience`, gives the last good answer if there is one; the answer "no such
// name" does not. A lookup that is stuck gets a second one beside it, and no third. Errors: Asio's
// host_not_found; host_not_found_try_again when DNS does not answer, or not within the asker's limit;
// errc::limit_exceeded at once when `in_flight` lookups are under way and none of them is for this name.
// From any thread; an asker resumes on its own.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/net/task.hpp"

#include <boost/asio/ip/address.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gotunnel::net {

struct resolver_limits {
  duration fresh = 5s;        ///< how long an answer is given again without a lookup
  duration failed = 1s;       ///< the same for a failure
  duration patience = 500ms;  ///< how long a lookup is waited for when there is an older answer
  duration stuck = 5s;        ///< a lookup that takes longer gets a second one beside it
  duration stale = 1h;        ///< the greatest age of an older answer
  std::size_t in_flight = 16; ///< lookups, of all names
  std::size_t names = 64;     ///< that are remembered; the one with the oldest answer makes room
};

class resolver {
public:
  using addresses = std::vector<asio::ip::address>;
  using answer = std::shared_ptr<const addresses>;
  /// Blocks for as long as it takes; called on a thread of its own.
  using lookup = std::function<result<addresses>(const std::string& host)>;

  /// Asks the system. What a process looks up is known to all of it.
  [[nodiscard]] static resolver& of_process();
  explicit resolver(lookup how, const resolver_limits& limits = {});

  [[nodiscard]] task<answer> find(std::string host, duration limit);
  /// The same for a caller who may block: before the workers run.
  [[nodiscard]] result<answer> wait_for(const std::string& host, duration limit);
  void doubt(const std::string& host);

private:
  struct asker;
  struct withdrawal;
  class book;

  std::shared_ptr<book> book_; ///< lookups keep it alive
};

/// For people: what an error of a lookup means; empty when it is another error.
[[nodiscard]] std::string_view lookup_trouble(const error_code& why) noexcept;

/// getaddrinfo(), each address once.
[[nodiscard]] result<resolver::addresses> look_up(const std::string& host);

} // namespace gotunnel::net
