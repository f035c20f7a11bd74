#include "e2e/native_peer.hpp"

#include "gotunnel/crypto/digest.hpp"

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <map>
#include <stdexcept>

namespace gotunnel::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

crypto::tls_context make_context(const std::string& ca_file, tls_peer::greeting kind) {
  crypto::tls_client_options options;
  options.authority = slurp(ca_file);
  auto context = crypto::tls_context::client(options);
  if (!context) throw std::runtime_error("no TLS context from " + ca_file);
  if (kind != tls_peer::greeting::native) ::SSL_CTX_set_alpn_protos(context->native(), nullptr, 0);
  if (kind == tls_peer::greeting::original_tls12)
    ::SSL_CTX_set_max_proto_version(context->native(), TLS1_2_VERSION);
  return *context;
}

const secret_key<32>& stretched(const std::string& secret) {
  static std::map<std::string, secret_key<32>> known; // stretching is slow on purpose
  auto found = known.find(secret);
  if (found == known.end())
    found = known.emplace(secret, crypto::stretch(secret_text(secret), wire::stretch_salt)).first;
  return found->second;
}

wire::psk_context proof_context(const tls_peer& peer, const std::string& secret) {
  const auto exporter = peer.engine().exporter(wire::exporter_label);
  if (!exporter) throw std::runtime_error("no exporter");
  return {stretched(secret), *exporter};
}

} // namespace

tls_peer::tls_peer(std::uint16_t port, const std::string& ca_file, greeting kind)
    : socket_(loopback_socket::connect(port)), engine_(make_context(ca_file, kind)) {
  for (;;) {
    const auto progress = engine_.handshake();
    if (!progress) throw std::runtime_error("TLS handshake: " + engine_.failure());
    if (!flush()) throw std::runtime_error("the server broke off during the handshake");
    if (*progress == crypto::tls_engine::progress::done) return;
    if (!fetch(patience)) throw std::runtime_error("no TLS handshake from the server");
  }
}

bool tls_peer::flush() {
  while (engine_.pending_output() > 0) {
    std::string out(engine_.pending_output(), '\0');
    out.resize(engine_.take_output(std::as_writable_bytes(std::span(out))));
    try {
      socket_.write(out);
    } catch (const std::system_error&) {
      ended_ = true;
      return false;
    }
  }
  return true;
}

bool tls_peer::fetch(milliseconds limit) {
  pollfd question{socket_.descriptor(), POLLIN, 0};
  if (::poll(&question, 1, static_cast<int>(limit.count())) != 1) return false;
  cipher_.resize(64UL * 1024);
  const ssize_t count = ::recv(socket_.descriptor(), cipher_.data(), cipher_.size(), 0);
  if (count <= 0) {
    ended_ = true;
    return false;
  }
  cipher_.resize(static_cast<std::size_t>(count));
  engine_.feed(as_bytes(cipher_));
  return true;
}

bool tls_peer::send(std::string_view plain) {
  while (!plain.empty() && !ended_) {
    const auto piece = plain.substr(0, crypto::tls_engine::record_plain);
    std::string out(engine_.pending_output() + crypto::tls_engine::sealed_size(piece.size()), '\0');
    std::size_t filled = 0;
    if (!engine_.write(as_bytes(piece), std::as_writable_bytes(std::span(out)), filled)) return false;
    try {
      socket_.write(std::string_view(out).substr(0, filled));
    } catch (const std::system_error&) {
      // What the server said before it broke off may still be read.
      return false;
    }
    plain.remove_prefix(piece.size());
  }
  return !ended_;
}

std::string tls_peer::receive(milliseconds limit) {
  const auto until = clock::now() + limit;
  std::string plain(64UL * 1024, '\0');
  while (!ended_) {
    if (engine_.pending_input() > 0) {
      const auto count = engine_.read(std::as_writable_bytes(std::span(plain)));
      if (!count || (*count == 0 && engine_.closed())) {
        ended_ = true;
        return {};
      }
      if (*count > 0) return plain.substr(0, *count);
    }
    const auto left = std::chrono::duration_cast<milliseconds>(until - clock::now());
    if (!fetch(std::max(left, 0ms)) && !ended_) return {};
  }
  return {};
}

bool tls_peer::ended_within(milliseconds limit) {
  const auto until = clock::now() + limit;
  while (!ended_ && clock::now() < until) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - clock::now());
    [[maybe_unused]] const auto dropped = receive(left);
  }
  return ended_;
}

std::string tls_peer::address() const {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  if (::getsockname(socket_.descriptor(), reinterpret_cast<sockaddr*>(&own), &size) != 0) return {};
  return "127.0.0.1:" + std::to_string(ntohs(own.sin_port));
}

void tls_peer::drop(bool reset) {
  const linger how{reset ? 1 : 0, 0};
  ::setsockopt(socket_.descriptor(), SOL_SOCKET, SO_LINGER, &how, sizeof how);
  socket_ = loopback_socket();
  ended_ = true;
}

native_identity::native_identity() {
  crypto::random_bytes(client);
  crypto::random_bytes(instance);
}

std::string make_hello(const tls_peer& peer, const native_identity& who) {
  wire::client_hello hello;
  hello.capabilities = static_cast<std::uint32_t>(wire::capability::stream_reset);
  hello.client = who.client;
  hello.instance = who.instance;
  crypto::random_bytes(hello.nonce);
  const auto bytes = wire::make_client_hello(hello, proof_context(peer, who.secret));
  return std::string(as_text(bytes));
}

native_peer::native_peer(const server_process& server, const native_identity& who)
    : tls_(server.port(), server.ca_file(), tls_peer::greeting::native) {
  const std::string hello = make_hello(tls_, who);
  if (!tls_.send(hello)) throw std::runtime_error("the server broke off during the hello");
  while (unread_.size() < wire::hello_size) {
    const std::string piece = tls_.receive(patience);
    if (piece.empty()) throw std::runtime_error("no hello from the server");
    unread_ += piece;
  }
  wire::hello_bytes theirs{};
  wire::hello_bytes ours{};
  std::copy_n(as_bytes(unread_).begin(), theirs.size(), theirs.begin());
  std::copy_n(as_bytes(hello).begin(), ours.size(), ours.begin());
  unread_.erase(0, wire::hello_size);
  const auto read = wire::read_server_hello(theirs, ours, proof_context(tls_, who.secret));
  if (!read) throw std::runtime_error("the server's hello: " + read.error().message());
  if (read->status != wire::hello_status::accepted) throw std::runtime_error("the server takes no session");
}

bool native_peer::open() { return send(frame(wire::smux_command::syn, control)); }

bool native_peer::say(std::string_view line) {
  return send(frame(wire::smux_command::psh, control, std::string(line) + "\n"));
}

std::optional<native_peer::heard_frame> native_peer::next_frame(milliseconds limit) {
  const auto until = clock::now() + limit;
  for (;;) {
    if (unread_.size() >= wire::smux_header::size) {
      const auto header = wire::decode_header(as_bytes(unread_).first<wire::smux_header::size>(), 2, true);
      if (!header) throw std::runtime_error("the server sent a broken frame");
      const std::size_t size = wire::smux_header::size + header->length;
      if (unread_.size() >= size) {
        heard_frame whole{*header, unread_.substr(wire::smux_header::size, header->length)};
        unread_.erase(0, size);
        return whole;
      }
    }
    const auto left = std::chrono::duration_cast<milliseconds>(until - clock::now());
    const std::string piece = tls_.receive(std::max(left, 0ms));
    if (piece.empty()) return std::nullopt;
    unread_ += piece;
  }
}

std::optional<std::string> native_peer::hear_line(milliseconds limit) {
  const auto until = clock::now() + limit;
  for (;;) {
    if (const auto end = line_.find('\n'); end != std::string::npos) {
      std::string line = line_.substr(0, end);
      line_.erase(0, end + 1);
      if (line.find("\"ping\"") == std::string::npos) return line;
      if (answer_pings) say(line.replace(line.find("\"ping\""), 6, "\"pong\""));
      continue;
    }
    const auto left = std::chrono::duration_cast<milliseconds>(until - clock::now());
    const auto next = next_frame(std::max(left, 0ms));
    if (!next) return std::nullopt;
    if (next->header.id == control && next->header.command == wire::smux_command::psh) line_ += next->payload;
  }
}

std::optional<std::string> native_peer::bind(std::uint64_t id, std::uint16_t port) {
  say(R"({"type":"bind","id":)" + std::to_string(id) + R"(,"port":)" + std::to_string(port) + "}");
  return hear_line(patience);
}

std::string frame(wire::smux_command command, wire::stream_id id, std::string_view payload) {
  std::string bytes(wire::smux_header::size, '\0');
  wire::smux_header header;
  header.command = command;
  header.length = static_cast<std::uint16_t>(payload.size());
  header.id = id;
  wire::encode(header, std::as_writable_bytes(std::span(bytes)).first<wire::smux_header::size>());
  return bytes.append(payload);
}

std::string raw_header(std::uint8_t version, std::uint8_t command, std::uint16_t length, std::uint32_t id) {
  std::array<std::byte, wire::smux_header::size> bytes{std::byte{version}, std::byte{command}};
  store_le16(bytes_span(bytes).subspan(2), length);
  store_le32(bytes_span(bytes).subspan(4), id);
  return std::string(as_text(bytes));
}

std::uint16_t bound_port(const std::string& answer) {
  const auto at = answer.find("\"port\":");
  return at == std::string::npos || answer.find("\"bound\"") == std::string::npos
             ? std::uint16_t{0}
             : static_cast<std::uint16_t>(std::stoul(answer.substr(at + 7)));
}

} // namespace gotunnel::testing
