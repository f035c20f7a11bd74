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
    case errc::refused: return "refused by the peer";
    case errc::not_gotunnel: return "the other end does not speak gotunnel";
    case errc::untrusted_server: return "the server's certificate is of another CA";
    case errc::wrong_server_name: return "the server's certificate is not for gotunnel.internal";
    case errc::certificate_expired: return "the server's certificate is expired or not yet valid";
    case errc::seed_peer_refused:
      return "the peer speaks the original protocol, which -seed-peers off refuses";
    case errc::superseded: return "a newer session of the same client took over";
    case errc::handed_over: return "another process goes on with it";
    case errc::bad_certificate: return "bad certificate or key file";
    case errc::tls_failure: return "TLS failure";
    case errc::busy: return "too much is under way";
    case errc::not_read: return "nobody read what came";
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

bool quiet(const error_code& ec) noexcept {
  using boost::system::errc::broken_pipe;
  using boost::system::errc::connection_aborted;
  using boost::system::errc::connection_reset;
  using boost::system::errc::operation_canceled;
  return ec == errc::closed || ec == errc::reset || ec == errc::end_of_stream || ec == errc::shutting_down ||
         ec == errc::superseded || ec == errc::handed_over || ec == broken_pipe || ec == connection_reset ||
         ec == connection_aborted || ec == operation_canceled;
}

} // namespace gotunnel
