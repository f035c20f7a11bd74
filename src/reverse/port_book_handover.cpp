// Ports that come from another process, or go to one.
#include "gotunnel/reverse/port_book.hpp"

namespace gotunnel::reverse {

void port_book::pause() {
  paused_ = true;
  for (const auto& [port, each] : ports_) each->door.pause();
}

void port_book::resume() {
  paused_ = false;
  for (const auto& [port, each] : ports_) each->door.resume();
}

std::vector<public_port_ptr> port_book::ports() const {
  std::vector<public_port_ptr> all;
  for (const auto& [port, each] : ports_) all.push_back(each);
  return all;
}

void port_book::adopt(public_port_ptr port, net::door door) {
  if (door) open(port, std::move(door));
  (void)tend(port);
  ports_.emplace(port->number, std::move(port));
}

void port_book::leave(std::uint16_t port) {
  const auto found = ports_.find(port);
  if (found == ports_.end()) return;
  refuse_line(*found->second);
  found->second->shut();
  ports_.erase(found);
}

} // namespace gotunnel::reverse
