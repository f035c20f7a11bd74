#include "gotunnel/crypto/record_layer.hpp"

#include "gotunnel/crypto/ossl.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace gotunnel::crypto {
namespace {

// RFC 8446 6: the alerts that we send or know. Level 2 is fatal, 1 a warning.
constexpr std::uint8_t close_notify = 0;
constexpr std::uint8_t unexpected_message = 10;
constexpr std::uint8_t bad_record_mac = 20;
constexpr std::uint8_t record_overflow = 22;
constexpr std::uint8_t illegal_parameter = 47;
constexpr std::uint8_t decode_error = 50;
constexpr std::uint8_t user_canceled = 90;

// RFC 8446 4: type in one octet, length in three.
constexpr std::size_t message_header = 4;
constexpr std::uint8_t new_session_ticket = 4;
constexpr std::uint8_t key_update = 24;

// Opened by one read().
constexpr int records_at_once = 256;

std::array<std::byte, 5> key_update_message(bool requested) noexcept {
  return {std::byte{key_update}, std::byte{0}, std::byte{0}, std::byte{1}, std::byte{requested}};
}

std::uint8_t octet(bytes_view bytes, std::size_t at) noexcept {
  return std::to_integer<std::uint8_t>(bytes[at]);
}

} // namespace

record_layer::record_layer(const keys& from, record_output& output)
    : sealing_(record_cipher::use::seal, from.suite, from.ours),
      opening_(record_cipher::use::open, from.suite, from.theirs), output_(output) {}

result<std::size_t> record_layer::read(bytes_span to) {
  if (broken_) return broken_;
  std::size_t got = take_spilled(to);
  for (int left = records_at_once; left > 0 && got < to.size() && !peer_closed_; --left) {
    const auto record = next_record();
    if (record && record->empty()) break;
    const auto plain = record ? open(*record, to.subspan(got)) : result<std::size_t>(record.error());
    if (!plain) {
      if (got == 0) return plain.error();
      break;
    }
    got += *plain;
  }
  if (spilled_.empty() && gathered_size_ == 0) gathered_ = block();
  return got;
}

/// A whole record, where it lies in the input, or gathered from its pieces. Empty when more input is needed.
result<bytes_view> record_layer::next_record() {
  constexpr std::size_t header = record_cipher::header_size;
  const bool gathering = gathered_size_ > 0 || input_.size() < header;
  if (gathering && !gather(header)) return bytes_view();
  const bytes_view seen = gathering ? bytes_view(gathered_.span()) : input_;
  if (octet(seen, 0) != static_cast<std::uint8_t>(record_type::application_data))
    return fail(unexpected_message, "a record that is not protected");
  const std::size_t body = load_be16(seen.subspan(3, 2));
  if (body > record_cipher::body_limit) return fail(record_overflow, "a record is too long");
  if (!gathering && input_.size() >= header + body) {
    const bytes_view record = input_.first(header + body);
    input_ = input_.subspan(header + body);
    return record;
  }
  if (!gather(header + body)) return bytes_view();
  gathered_size_ = 0; // the bytes stay until they are opened
  return bytes_view(gathered_.span().first(header + body));
}

bool record_layer::gather(std::size_t wanted) {
  if (gathered_size_ >= wanted) return true;
  if (input_.empty()) return false;
  if (!gathered_) gathered_ = block(block_size::large);
  const bytes_view part = input_.first(std::min(wanted - gathered_size_, input_.size()));
  std::memcpy(gathered_.span().data() + gathered_size_, part.data(), part.size());
  gathered_size_ += part.size();
  input_ = input_.subspan(part.size());
  return gathered_size_ >= wanted;
}

/// How many plain bytes `to` got; what is not application data is dealt with here.
result<std::size_t> record_layer::open(bytes_view record, bytes_span to) {
  if (record.size() < record_cipher::overhead) return fail(decode_error, "a record is too short");
  const bool fits = record_cipher::opened_size(record.size()) <= to.size();
  if (!fits && !gathered_) gathered_ = block(block_size::large);
  // A gathered record is opened in its own place.
  const bytes_span place = fits ? to : gathered_.span().subspan(record_cipher::header_size);
  const auto opened = opening_.open(record, place);
  if (!opened) return fail(bad_record_mac, "decryption failed or bad record mac");
  if (opened->size > record_cipher::plain_limit) return fail(record_overflow, "a record is too long");
  const bytes_view plain = place.first(opened->size);
  const bool idle = opened->type != record_type::application_data || plain.empty();
  if (idle && !idle_.spend()) return fail(unexpected_message, "too many records without data");
  if (opened->type != record_type::application_data) {
    const auto handled = handle(opened->type, plain);
    if (!handled) return handled.error();
    return std::size_t{0};
  }
  idle_.earn(plain.size());
  if (fits) return plain.size();
  spilled_ = plain;
  return take_spilled(to);
}

std::size_t record_layer::take_spilled(bytes_span to) noexcept {
  const bytes_view part = spilled_.first(std::min(spilled_.size(), to.size()));
  if (!part.empty()) std::memcpy(to.data(), part.data(), part.size());
  spilled_ = spilled_.subspan(part.size());
  return part.size();
}

result<> record_layer::handle(record_type type, bytes_view plain) {
  if (type == record_type::alert) return handle_alert(plain);
  if (type == record_type::handshake) return handle_handshake(plain);
  return fail(unexpected_message, "a record of an unknown kind");
}

result<> record_layer::handle_alert(bytes_view plain) {
  if (plain.size() != 2) return fail(decode_error, "a broken alert");
  const std::uint8_t what = octet(plain, 1);
  if (what == user_canceled) return {}; // close_notify follows
  input_ = {};
  if (what == close_notify) {
    peer_closed_ = true;
    return {};
  }
  broken_ = errc::tls_failure;
  failure_ = std::string("the peer ended it: ") + SSL_alert_desc_string_long(what);
  return broken_;
}

result<> record_layer::handle_handshake(bytes_view plain) {
  if (plain.empty()) return fail(unexpected_message, "an empty handshake record");
  while (!plain.empty()) {
    if (plain.size() < message_header || octet(plain, 1) != 0 ||
        plain.size() - message_header < load_be16(plain.subspan(2, 2)))
      return fail(unexpected_message, "a handshake message in pieces");
    const bytes_view body = plain.subspan(message_header, load_be16(plain.subspan(2, 2)));
    const std::uint8_t type = octet(plain, 0);
    plain = plain.subspan(message_header + body.size());
    if (type == new_session_ticket) continue;
    // Its record must be the last under the old key (5.1).
    if (type != key_update || !plain.empty())
      return fail(unexpected_message, "a handshake after the handshake");
    if (body.size() != 1) return fail(decode_error, "a broken key update");
    if (octet(body, 0) > 1) return fail(illegal_parameter, "a broken key update");
    opening_.update();
    if (octet(body, 0) == 0) continue;
    if (!say(record_type::handshake, key_update_message(false))) {
      broken_ = errc::tls_failure;
      failure_ = "the peer demands answers and does not take them";
      return broken_;
    }
    sealing_.update();
  }
  return {};
}

std::size_t record_layer::write(bytes_view plain, bytes_span out) {
  std::size_t filled = 0;
  if (rekey_) {
    rekey_ = false;
    filled += sealing_.seal(record_type::handshake, key_update_message(false), out);
    sealing_.update();
  }
  while (!plain.empty()) {
    const bytes_view part = plain.first(std::min(plain.size(), record_cipher::plain_limit));
    filled += sealing_.seal(record_type::application_data, part, out.subspan(filled));
    plain = plain.subspan(part.size());
  }
  return filled;
}

void record_layer::shut() {
  const std::array<std::byte, 2> alert = {std::byte{1}, std::byte{close_notify}};
  // A peer that takes no answers does not hear this one either.
  [[maybe_unused]] const bool said = say(record_type::alert, alert);
}

bool record_layer::say(record_type type, bytes_view plain) {
  std::array<std::byte, 8 + record_cipher::overhead> record;
  assert(plain.size() <= 8);
  const std::size_t size = sealing_.seal(type, plain, record);
  return output_.put(bytes_view(record).first(size));
}

error_code record_layer::fail(std::uint8_t alert, std::string why) {
  broken_ = errc::tls_failure;
  failure_ = std::move(why);
  input_ = {};
  spilled_ = {};
  const std::array<std::byte, 2> fatal = {std::byte{2}, std::byte{alert}};
  [[maybe_unused]] const bool said = say(record_type::alert, fatal);
  return broken_;
}

} // namespace gotunnel::crypto
