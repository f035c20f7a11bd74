#include "gotunnel/net/resolver.hpp"

#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/last_error.hpp"
#include "gotunnel/net/signal.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include <netdb.h>

namespace gotunnel::net {
namespace {

time_point now() { return std::chrono::steady_clock::now(); }

/// getaddrinfo(3), as Asio names its errors.
error_code lookup_error(int code) {
  switch (code) {
  case EAI_NONAME:
  case EAI_NODATA:
  case EAI_ADDRFAMILY: return asio::error::host_not_found;
  case EAI_AGAIN: return asio::error::host_not_found_try_again;
  case EAI_MEMORY: return asio::error::no_memory;
  case EAI_SYSTEM: return last_error();
  default: return asio::error::no_recovery;
  }
}

/// Signals are for the threads that wait for them.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

} // namespace

result<resolver::addresses> look_up(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM; // each address once
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &wanted, &list);
  if (code != 0) return lookup_error(code);
  resolver::addresses found;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    asio::ip::tcp::endpoint endpoint;
    if (each->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), each->ai_addr, each->ai_addrlen);
    if (std::find(found.begin(), found.end(), endpoint.address()) == found.end())
      found.push_back(endpoint.address()); // two lines of /etc/hosts may say the same
  }
  ::freeaddrinfo(list);
  if (found.empty()) return make_error_code(asio::error::host_not_found);
  return found;
}

std::string_view lookup_trouble(const error_code& why) noexcept {
  if (why == asio::error::host_not_found_try_again) return "no DNS server answers for the host name";
  if (why.category() == asio::error::get_netdb_category()) return "the host name is unknown";
  return {};
}

/// Who waits for a lookup. Its members are its own thread's once it is in the book.
struct resolver::asker {
  explicit asker(const executor& own) : where(own), changed(own) {}

  executor where;
  signal changed;
  std::optional<result<answer>> told;
  answer fallback; ///< when `patience` has passed
  duration patience{};
};

class resolver::book : public std::enable_shared_from_this<book> {
public:
  book(lookup how, const resolver_limits& limits) : look_up_(std::move(how)), limits_(limits) {}

  /// What can be said at once; nothing: `who` will be told.
  [[nodiscard]] std::optional<result<answer>> ask(const std::string& host, const std::shared_ptr<asker>& who);
  void withdraw(const std::string& host, const std::shared_ptr<asker>& who);
  void doubt(const std::string& host);

private:
  struct flight {
    std::uint64_t number;
    time_point begun;
  };
  struct name {
    answer good; ///< the last one
    time_point good_since;
    time_point fresh_until;
    error_code failure;
    time_point failed_until;
    std::uint64_t answered = 0;  ///< by this flight: an earlier one that comes late is not news
    std::vector<flight> flights; ///< two at most
    std::vector<std::shared_ptr<asker>> askers;
  };

  [[nodiscard]] name& entry(const std::string& host);
  [[nodiscard]] answer usable(const name& it) const;
  [[nodiscard]] error_code begin(const std::string& host, name& it);
  void land(const std::string& host, std::uint64_t number, result<addresses> found);
  void learn(name& it, std::uint64_t number, result<addresses> found);

  const lookup look_up_;
  const resolver_limits limits_;
  std::mutex mutex_; ///< all below; never held during a lookup
  std::map<std::string, name> names_;
  std::size_t in_flight_ = 0;
  std::uint64_t begun_ = 0;
};

std::optional<result<resolver::answer>> resolver::book::ask(const std::string& host,
                                                            const std::shared_ptr<asker>& who) {
  const std::lock_guard guard(mutex_);
  name& it = entry(host);
  if (it.good && now() < it.fresh_until) return it.good;
  const answer older = usable(it);
  const auto fail = [&older](error_code why) { return older ? result<answer>(older) : result<answer>(why); };
  if (now() < it.failed_until) return fail(it.failure);

  const bool stuck = it.flights.size() == 1 && now() - it.flights.front().begun >= limits_.stuck;
  if (it.flights.empty() || stuck) {
    const error_code why = begin(host, it);
    if (why && it.flights.empty()) return fail(why);
  }
  if (older) {
    who->fallback = older;
    who->patience = limits_.patience - (now() - it.flights.front().begun);
    if (who->patience <= duration::zero()) return older;
  }
  it.askers.push_back(who);
  return std::nullopt;
}

resolver::book::name& resolver::book::entry(const std::string& host) {
  if (names_.size() >= limits_.names && !names_.contains(host)) {
    auto oldest = names_.end();
    for (auto each = names_.begin(); each != names_.end(); ++each)
      if (each->second.flights.empty() &&
          (oldest == names_.end() || each->second.good_since < oldest->second.good_since))
        oldest = each;
    if (oldest != names_.end()) names_.erase(oldest);
  }
  return names_[host];
}

resolver::answer resolver::book::usable(const name& it) const {
  return it.good && now() - it.good_since < limits_.stale ? it.good : nullptr;
}

error_code resolver::book::begin(const std::string& host, name& it) {
  if (in_flight_ >= limits_.in_flight) return errc::limit_exceeded;
  const std::uint64_t number = ++begun_;
  auto fly = [self = shared_from_this(), host, number] {
    block_signals();
    result<addresses> found = make_error_code(asio::error::no_memory);
    try {
      found = self->look_up_(host);
    } catch (const std::bad_alloc&) {
      // It has failed, then.
    }
    self->land(host, number, std::move(found));
  };
  try {
    std::thread(std::move(fly)).detach();
  } catch (const std::system_error& e) {
    return {e.code().value(), boost::system::system_category()}; // the limit of threads
  }
  ++in_flight_;
  it.flights.push_back({number, now()});
  return {};
}

/// On the thread of the lookup.
void resolver::book::land(const std::string& host, std::uint64_t number, result<addresses> found) {
  const std::lock_guard guard(mutex_);
  --in_flight_;
  name& it = names_.at(host); // a name with a lookup under way stays
  std::erase_if(it.flights, [number](const flight& each) { return each.number == number; });
  const bool news = number > it.answered;
  // A failure while another lookup is under way says nothing yet.
  const bool verdict = found || found.error() == asio::error::host_not_found || it.flights.empty();
  if (news && verdict) learn(it, number, std::move(found));
}

void resolver::book::learn(name& it, std::uint64_t number, result<addresses> found) {
  it.answered = number;
  if (found) {
    it.good = std::make_shared<const addresses>(std::move(*found));
    it.good_since = now();
    it.fresh_until = it.good_since + limits_.fresh;
    it.failed_until = {};
  } else {
    it.failure = found.error();
    it.failed_until = now() + limits_.failed;
    // Somebody knows that there is no such name: nobody may be led to where it was.
    if (it.failure == asio::error::host_not_found) it.good.reset();
  }
  const answer known = usable(it);
  const result<answer> outcome = known ? result<answer>(known) : result<answer>(it.failure);
  // An asker withdraws under this lock before its worker ends, so there is somebody to post to.
  for (auto& each : std::exchange(it.askers, {})) {
    const executor where = each->where;
    asio::post(where, [who = std::move(each), outcome] {
      who->told = outcome;
      who->changed.notify();
    });
  }
}

void resolver::book::withdraw(const std::string& host, const std::shared_ptr<asker>& who) {
  const std::lock_guard guard(mutex_);
  const auto found = names_.find(host);
  if (found != names_.end()) std::erase(found->second.askers, who);
}

void resolver::book::doubt(const std::string& host) {
  const std::lock_guard guard(mutex_);
  const auto found = names_.find(host);
  if (found != names_.end()) found->second.fresh_until = {};
}

/// However its coroutine ends, an asker is not told afterwards.
struct resolver::withdrawal {
  withdrawal(book& from, const std::string& of, const std::shared_ptr<asker>& whose)
      : names(from), host(of), who(whose) {}
  withdrawal(const withdrawal&) = delete;
  withdrawal& operator=(const withdrawal&) = delete;
  ~withdrawal() { names.withdraw(host, who); }

  book& names;
  const std::string& host;
  const std::shared_ptr<asker>& who;
};

resolver& resolver::of_process() {
  static resolver all(&look_up);
  return all;
}

resolver::resolver(lookup how, const resolver_limits& limits)
    : book_(std::make_shared<book>(std::move(how), limits)) {}

task<resolver::answer> resolver::find(std::string host, duration limit) {
  const auto where = co_await asio::this_coro::executor;
  const auto names = book_; // it may be asked for longer than this resolver lives
  const auto self = std::make_shared<asker>(where);
  auto known = names->ask(host, self);
  if (known) co_return std::move(*known);
  const withdrawal in_the_end(*names, host, self);
  const deadline late(where, self->fallback ? std::min(limit, self->patience) : limit,
                      [self] { self->changed.notify(); });
  while (!self->told && !late.expired()) co_await self->changed.wait();
  if (self->told) co_return std::move(*self->told);
  if (self->fallback) co_return std::move(self->fallback);
  co_return make_error_code(asio::error::host_not_found_try_again);
}

result<resolver::answer> resolver::wait_for(const std::string& host, duration limit) {
  asio::io_context own(1);
  result<answer> outcome = make_error_code(asio::error::host_not_found_try_again);
  const auto keep = [&outcome](const std::exception_ptr& thrown, result<answer> found) {
    if (thrown) std::rethrow_exception(thrown);
    outcome = std::move(found);
  };
  asio::co_spawn(own, find(host, limit), keep);
  own.run();
  return outcome;
}

void resolver::doubt(const std::string& host) { book_->doubt(host); }

} // namespace gotunnel::net
