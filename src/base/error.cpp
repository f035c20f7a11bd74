#include "gotunnel/base/error.hpp"

#include <string>

namespace gotunnel {
namespace {

class category final : public boost::system::error_category {
public:
  const char* name() const noexcept override { return "gotunnel"; }

  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
    case errc::closed: return "closed";
    case errc::reset: return "reset by the peer";
    case errc::end_of_stream: return "the peer ended the connection too early";
    case errc::timed_out: return "timed out";
    case errc::broken_frame: return "the peer sent bytes that are not of the protocol";
    case errc::limit_exceeded: return "the peer exceeded a limit";
    case errc::flow_control: return "the peer sent more than it was granted";
    case errc::peer_silent: return "the peer fell silent";
    case errc::wrong_secret: return "wrong secret";
    case errc::not_heard: return "too many wrong secrets came before; this one was not looked at";
    case errc::refused: return "refused by the peer";
    case errc::too_many_sessions: return "the client has too many sessions";
    case errc::not_gotunnel: return "the other end does not speak gotunnel";
    case errc::untrusted_server: return "the server's certificate is of another CA";
    case errc::wrong_server_name: return "the server's certificate is not for gotunnel.internal";
    case errc::certificate_expired: return "the server's certificate is expired or not yet valid";
    case errc::seed_peer_refused:
      return "the peer speaks the original protocol, which -seed-peers off refuses";
    case errc::downgraded: return "a server that has spoken the native protocol speaks the original one";
    case errc::superseded: return "a newer session of the same client took over";
    case errc::handed_over: return "another process goes on with it";
    case errc::bad_certificate: return "bad certificate or key file";
    case errc::keys_worn: return "its keys have served for as long as they may; it connects anew";
    case errc::tls_failure: return "TLS failure";
    case errc::busy: return "too much is under way";
    case errc::not_read: return "nobody read what came";
    case errc::unreachable: return "the peer cannot reach its local service";
    case errc::too_many_streams: return "the peer takes no more streams now";
    case errc::ids_used_up: return "all stream ids of the session are used up";
    case errc::shutting_down: return "shutting down";
    }
    return "unknown error";
  }
};

} // namespace

const boost::system::error_category& gotunnel_category() noexcept {
  static const category instance;
  return instance;
}

} // namespace gotunnel
