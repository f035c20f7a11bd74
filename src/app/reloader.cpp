#include "gotunnel/app/reloader.hpp"

#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/base/printable.hpp"
#include "gotunnel/net/deadline.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace gotunnel::app {
namespace {

/// More than the files and the lock may take, less than reload_limit.
constexpr duration reading_limit = link::lock_patience + 2s;

} // namespace

wall_time now_by_the_clock() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

link::cert_policy certificate_policy() {
  link::cert_policy policy;
  policy.built = source_date();
  return policy;
}

crypto::tls_context make_server_context(const link::cert_store& certificates, bool seed_peers) {
  crypto::tls_server_options options;
  options.server = certificates.server();
  options.authority = certificates.authority();
  options.seed_peers = seed_peers;
  auto context = crypto::tls_context::server(options);
  if (!context)
    throw usage_error(fmt::format("the certificates cannot be used: {}", context.error().message()));
  return *context;
}

void warn_of(const link::cert_store& certificates) {
  for (const std::string& each : certificates.warnings()) log::warn("app", "{}", each);
}

namespace {

struct served {
  link::cert_store store;
  crypto::tls_context context;
};

/// Blocks. Renews the leaf when it is due, and reads the files again when somebody else changed them.
/// Nothing: they are as before.
std::optional<served> read_certificates(link::cert_store next, bool seed_peers, wall_time now,
                                        std::chrono::milliseconds patience) {
  bool changed = next.reload(now, patience);
  if (next.due(now)) {
    next.renew(now, patience);
    changed = true;
  }
  if (!changed) return std::nullopt;
  // What OpenSSL refuses must not be taken for what is in use.
  auto context = make_server_context(next, seed_peers);
  return served{std::move(next), std::move(context)};
}

} // namespace

/// What a helper brings back.
struct reloader::found {
  std::optional<served> certificates; ///< none: as before
  link::shared_keys keys;
  std::string trouble; ///< why there is nothing of it
  bool busy = false;   ///< somebody else works on the certificates
};

reloader::reloader(const net::executor& where, net::file_worker& files, link::cert_store& certificates,
                   keyring& keys, bool seed_peers, users who, service_manager& manager,
                   std::function<wall_time()> clock)
    : files_(files), certificates_(certificates), keys_(keys), seed_peers_(seed_peers),
      users_(std::move(who)), manager_(manager), clock_(std::move(clock)),
      expiry_said_(certificates.expiry(clock_())), freed_(where) {}

/// Of who reads: two at once could use what they found in the wrong order.
struct reloader::turn {
  explicit turn(reloader& whose) : self(&whose) { self->reading_ = true; }
  turn(turn&& other) noexcept : self(std::exchange(other.self, nullptr)) {}
  turn& operator=(turn&&) = delete;
  ~turn() {
    if (self == nullptr) return;
    self->reading_ = false;
    self->freed_.notify();
  }
  reloader* self;
};

asio::awaitable<reloader::turn> reloader::my_turn() {
  while (reading_) co_await freed_.wait();
  co_return turn(*this);
}

/// What fails is a sentence here: an exception out of an await is a cancellation.
asio::awaitable<reloader::found> reloader::read(std::function<found()> work) {
  std::function<found()> careful = [work = std::move(work)] {
    found none;
    try {
      return work();
    } catch (const link::cert_busy& e) {
      none.trouble = e.what();
      none.busy = true;
    } catch (const std::runtime_error& e) {
      none.trouble = e.what();
    }
    return none;
  };
  auto next = co_await files_.run(reading_limit, std::move(careful));
  if (next) co_return std::move(*next);
  found none;
  none.trouble = "the files cannot be read: their disk, or the network that they lie on, hangs";
  co_return none;
}

void reloader::use_certificates(found& next) {
  if (!next.certificates) return;
  certificates_ = std::move(next.certificates->store);
  users_.context(next.certificates->context);
  log::info("app", "the server certificate is now valid until {}",
            gotunnel::describe(certificates_.server_facts().not_after));
  warn_of(certificates_);
  expiry_said_ = certificates_.expiry(clock_());
}

asio::awaitable<reloader::outcome> reloader::reload() {
  const turn mine = co_await my_turn();
  std::function<found()> work = [look = keys_.looking(), store = certificates_, seed_peers = seed_peers_,
                                 now = clock_()] {
    found all;
    all.keys = look();
    all.certificates = read_certificates(store, seed_peers, now, link::lock_patience);
    return all;
  };
  found next = co_await read(std::move(work));
  outcome done;
  done.trouble = std::move(next.trouble);
  if (!done.trouble.empty()) co_return done;
  done.report.certificate_changed = next.certificates.has_value();
  done.report.secrets = next.keys->all.size();
  done.report.secrets_changed = next.keys != keys_.keys();
  done.report.secrets_from_file = !keys_.file().empty();
  if (done.report.secrets_changed) {
    users_.keys(next.keys);
    keys_.take(next.keys);
  }
  use_certificates(next);
  done.report.valid_until = gotunnel::describe(certificates_.server_facts().not_after);
  co_return done;
}

/// Others may hold the lock for a moment, to renew: there is a next time.
asio::awaitable<reloader::found> reloader::check_certificates() {
  const turn mine = co_await my_turn();
  std::function<found()> work = [store = certificates_, seed_peers = seed_peers_, now = clock_()] {
    found all;
    all.certificates = read_certificates(store, seed_peers, now, 0ms);
    return all;
  };
  found next = co_await read(std::move(work));
  use_certificates(next);
  co_return next;
}

/// The sentences name the days: they change once a day.
void reloader::say_expiry() {
  std::vector<std::string> now = certificates_.expiry(clock_());
  if (now == expiry_said_) return;
  for (const std::string& each : now) log::warn("app", "{}", each);
  expiry_said_ = std::move(now);
}

asio::awaitable<void> reloader::watch(duration every) {
  std::string last_trouble;
  bool was_busy = false;
  for (;;) {
    co_await net::sleep_for(every);
    found next = co_await check_certificates();
    const bool passing = next.busy && !was_busy;
    was_busy = next.busy;
    if (!passing && std::exchange(last_trouble, next.trouble) != next.trouble && !next.trouble.empty())
      log::error("app", "{}", next.trouble);
    say_expiry();
  }
}

asio::awaitable<std::string> reloader::answer() {
  struct told {
    explicit told(service_manager& whom) : manager(whom) { manager.reloading(); }
    ~told() { manager.reloaded(); }
    service_manager& manager;
  } const guard(manager_);
  const outcome done = co_await reload();
  if (done.trouble.empty()) {
    log::info("app", "{}", describe(done.report));
    co_return to_json(done.report);
  }
  const std::string why = fmt::format("{}; everything stays as it was", done.trouble);
  log::error("app", "reload: {}", why);
  co_return boost::json::serialize(boost::json::object{{"error", printable(why)}});
}

asio::awaitable<void> reloader::on_signals(asio::signal_set& hangups) {
  for (;;) {
    auto [ec, number] = co_await hangups.async_wait(net::token);
    if (ec) co_return;
    [[maybe_unused]] const std::string said = co_await answer(); // the log has it
  }
}

} // namespace gotunnel::app
