// How many sessions each client has, so that one that leaves session after session behind cannot fill the
// server.
//
//   session_roll::seat_ptr seat;
//   const bool may = co_await roll.ask(client, session, seat);    // from any worker; resumes there
//   seat->away(holder); ... seat->back();                         // on the front worker: the session waits
//
// At the limit the session that has waited longest for its client makes room: it is ended as superseded. When
// none waits the newcomer is refused. A seat is free again when its last owner drops it, on any worker. The
// roll lives on the front worker and outlives what runs on the workers.
#pragma once

#include "gotunnel/reverse/port_holder.hpp"
#include "gotunnel/wire/psk_auth.hpp"

#include <list>
#include <map>
#include <memory>

namespace gotunnel::reverse {

class session_roll {
public:
  static constexpr std::size_t sessions_of_a_client = 64;

  explicit session_roll(net::executor front, std::size_t limit = sessions_of_a_client)
      : front_(std::move(front)), limit_(limit) {}

  class seat {
  public:
    seat(session_roll& roll, const wire::peer_id& session) : roll_(roll), session_(session) {}
    seat(const seat&) = delete;
    seat& operator=(const seat&) = delete;
    ~seat();

    void away(std::weak_ptr<port_holder> who);
    void back();

  private:
    session_roll& roll_;
    wire::peer_id session_;
  };
  using seat_ptr = std::shared_ptr<seat>;

  /// False, and no seat, when the client has too many sessions.
  [[nodiscard]] asio::awaitable<bool> ask(const wire::peer_id& client, const wire::peer_id& session,
                                          seat_ptr& to);
  /// Of a session that another process had admitted. On the front worker, or before the workers run.
  [[nodiscard]] seat_ptr adopt(const wire::peer_id& client, const wire::peer_id& session);
  [[nodiscard]] std::size_t sessions_of(const wire::peer_id& client) const;

private:
  struct entry {
    wire::peer_id session;
    std::weak_ptr<port_holder> waiting; ///< of a session without a carrier
  };
  /// Of one client; those that wait first, the longest of all in front.
  using row = std::list<entry>;
  struct place {
    std::map<wire::peer_id, row>::iterator client;
    row::iterator at;
  };

  [[nodiscard]] bool make_room(const wire::peer_id& client);
  void leave(const wire::peer_id& session);

  net::executor front_;
  std::size_t limit_;
  std::map<wire::peer_id, row> clients_;
  std::map<wire::peer_id, place> sessions_;
};

} // namespace gotunnel::reverse
