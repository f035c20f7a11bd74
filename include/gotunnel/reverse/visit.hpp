// A visitor who is being served: both ends of the splice, for whoever has to know all of them.
//
// Lives in the task that serves the visitor, as long as that; leaves its list by itself.
#pragma once

#include "gotunnel/mux/mux_stream.hpp"
#include "gotunnel/net/socket_stream.hpp"
#include "gotunnel/reverse/port_holder.hpp"

#include <boost/intrusive/list.hpp>

namespace gotunnel::reverse {

struct visit : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  visit(const visitor& visitor, net::socket_stream& socket, mux::mux_stream& stream) noexcept
      : who(visitor), outside(socket), inside(stream) {}

  /// Whether another process could go on with it; one that has failed, or is over, ends here.
  [[nodiscard]] bool alive() const { return outside.sound() && inside.alive(); }

  /// Both directions as they are, for the process that goes on with them.
  void save(record_writer& to) const {
    inside.save(to, outside.unread());
    to.put(std::uint64_t{outside.written()});
  }

  const visitor& who; ///< without its socket
  net::socket_stream& outside;
  mux::mux_stream& inside;
};

using visit_list = boost::intrusive::list<visit, boost::intrusive::constant_time_size<false>>;

} // namespace gotunnel::reverse
