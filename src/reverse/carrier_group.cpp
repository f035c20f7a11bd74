#include "gotunnel/reverse/carrier_group.hpp"

#include "gotunnel/base/log.hpp"

#include <algorithm>

namespace gotunnel::reverse {

carrier_group::carrier_group(net::executor where, client_options options, std::uint8_t carriers,
                             ready_handler ready)
    : where_(std::move(where)), options_(std::move(options)), ready_(std::move(ready)),
      visits_(options_.max_visitors), carriers_(carriers), tasks_(where_, "reverse"), changed_(where_),
      port_(options_.remote_port) {}

asio::awaitable<void> carrier_group::run() {
  for (std::size_t i = 0; i < carriers_.size(); ++i)
    tasks_.spawn("carrier", keep(static_cast<std::uint8_t>(i + 1)));
  co_await tasks_.join();
}

asio::awaitable<void> carrier_group::keep(std::uint8_t number) {
  for (;;) {
    while (alone_ && number != leader_ && !stopping_) co_await changed_.wait();
    if (stopping_) co_return;
    // An only carrier asks as clients did before there were several: the port is its alone.
    client carrier(where_, options_, carriers_.size() == 1 ? std::uint8_t{0} : number, *this);
    carriers_[number - 1U] = &carrier;
    co_await carrier.run();
    carriers_[number - 1U] = nullptr;
    if (carrier.exit_code() != 0) co_return give_up();
  }
}

void carrier_group::up(std::uint8_t number, const wire::bound_answer& answer) {
  trouble_.clear();
  if (++up_ == 1) {
    port_ = answer.port;
    static log::limit often;
    log::info(often, "reverse", "port {} of {} leads to {}", port_, wire::to_string(options_.way.server),
              wire::to_string(options_.target));
    ready_(answer);
  }
  if (number == 0) return;
  if (answer.carrier == number) {
    static log::limit often(1s, lines_of_carriers);
    log::info(often, "reverse", "carrier {} is up ({})", number, standing());
    warned_ = alone_ = false;
    changed_.notify();
    return;
  }
  static log::limit often;
  if (!std::exchange(warned_, true))
    log::warn(often, "reverse",
              "{} does not know -carriers: it is older, or speaks the original protocol; going on with one "
              "of {}",
              wire::to_string(options_.way.server), carriers_.size());
  go_alone(number);
}

void carrier_group::refused(std::uint8_t number) {
  if (options_.remote_port != 0 || port_ == 0 || up_ > 0) return;
  // The port that the server once chose is gone: let it choose again. One of us asks, or there would be
  // several.
  port_ = 0;
  if (number != 0) go_alone(number);
}

/// The others rest until the server has taken this one for a carrier.
void carrier_group::go_alone(std::uint8_t number) {
  alone_ = true;
  leader_ = number;
  for (std::size_t i = 0; i < carriers_.size(); ++i)
    if (i + 1 != number && carriers_[i] != nullptr) carriers_[i]->stop(0s);
}

std::string carrier_group::standing() const {
  return fmt::format("{} of {} carriers are up", up_, carriers_.size());
}

bool carrier_group::is_news(const std::string& trouble) {
  return std::exchange(trouble_, trouble) != trouble;
}

/// A carrier has ended for good.
void carrier_group::give_up() {
  if (stopping_) return;
  const bool last = std::all_of(carriers_.begin(), carriers_.end(), [](auto* each) { return !each; });
  // The resting ones wait for one that does not come back.
  if (!last && !alone_) return;
  exit_code_ = 1;
  stop(0s);
}

void carrier_group::stop(duration grace) {
  stopping_ = true;
  changed_.notify();
  for (client* each : carriers_)
    if (each != nullptr) each->stop(grace);
}

} // namespace gotunnel::reverse
