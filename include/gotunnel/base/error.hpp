// Failure as a value: every operation that can fail returns `result<T>`.
//
// `errc` names what only this program knows; errors of the system, of Asio and of OpenSSL keep their own
// categories. Cancellation is not in this list: it is an exception that only net::task_group catches.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace gotunnel {

using error_code = boost::system::error_code;

template <class T = void>
using result = boost::system::result<T>;

enum class errc {
  closed = 1,          ///< the stream or session was closed by this side
  reset,               ///< the peer, or a failure on the way, ended the stream abruptly
  end_of_stream,       ///< the peer ended the stream where more bytes were due
  timed_out,           ///< a deadline of ours passed
  broken_frame,        ///< bytes that are not of the protocol
  limit_exceeded,      ///< a length, count or rate above what we accept
  flow_control,        ///< the peer sent more than it was granted
  peer_silent,         ///< nothing arrived from the peer for the keepalive timeout
  wrong_secret,        ///< the peer refused our proof of the secret, or its own proof is wrong
  not_heard,           ///< too many wrong proofs came before: nobody looked at this one
  refused,             ///< the peer understood and said no
  too_many_sessions,   ///< the client has as many sessions as it may have
  not_gotunnel,        ///< the other end speaks another protocol
  untrusted_server,    ///< the server's certificate is not of the CA, or the pin, that we were given
  wrong_server_name,   ///< the server's certificate is not for gotunnel.internal
  certificate_expired, ///< the server's certificate, or its CA, is outside its validity
  seed_peer_refused,   ///< the peer speaks the original protocol, and -seed-peers is off
  downgraded,          ///< a server that has been native speaks the original protocol
  superseded,          ///< a newer session of the same client took over
  handed_over,         ///< another process of this machine goes on with it
  bad_certificate,     ///< a certificate or key file that is corrupt, or not what it should be
  keys_worn,           ///< the connection's keys have sealed what they may, and cannot be changed
  tls_failure,         ///< TLS ended with an alert or a protocol error
  busy,                ///< as much is under way as may be; later there may be room
  not_read,            ///< the stream was reset because nobody read what came for it
  unreachable,         ///< the peer reset the stream: it could not dial the local service
  too_many_streams,    ///< the peer reset the stream: it takes no more of them now
  ids_used_up,         ///< the session has opened as many streams as it has ids for
  shutting_down,       ///< this process is stopping
};

[[nodiscard]] const boost::system::error_category& gotunnel_category() noexcept;

[[nodiscard]] inline error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), gotunnel_category()};
}

} // namespace gotunnel

namespace boost::system {
template <>
struct is_error_code_enum<gotunnel::errc> : std::true_type {};
} // namespace boost::system
