// How a session at the server asks the book for ports, and gives them back.
#include "gotunnel/base/counters.hpp"
#include "gotunnel/net/ask.hpp"
#include "gotunnel/reverse/server_session.hpp"

#include <fmt/format.h>

namespace gotunnel::reverse {

namespace code = wire::control_code;

asio::awaitable<wire::control_message> server_session::bind(wire::bind_request wanted) {
  wire::control_message outcome;
  if (auto no = impossible(wanted)) {
    outcome = std::move(*no);
  } else {
    auto question = question_of(wanted);
    outcome = co_await book_.bind(std::move(question));
  }
  const auto* const held = std::get_if<wire::error_answer>(&outcome);
  if (held != nullptr && held->free_in_ms && wanted.wait) {
    const wire::waiting_notice notice{wanted.id, *held->free_in_ms};
    in_line_[wanted.id] = wanted.port;
    tasks_.spawn("wait in line", wait_in_line(wanted));
    co_return notice;
  }
  co_await settle(wanted, outcome);
  co_return outcome;
}

asio::awaitable<void> server_session::wait_in_line(wire::bind_request wanted) {
  // Who enters the line after release_all() would never leave it.
  if (mux_->ended()) co_return;
  auto question = question_of(wanted);
  auto outcome = co_await book_.wait_in_line(std::move(question));
  co_await settle(wanted, outcome);
  in_line_.erase(wanted.id); // not before: the session must not go to another process without its answer
  say(std::move(outcome));
}

/// Remembers what became of a bind.
asio::awaitable<void> server_session::settle(const wire::bind_request& wanted,
                                             wire::control_message& outcome) {
  if (auto* bound = std::get_if<wire::bound_answer>(&outcome)) {
    binds_[wanted.id] = bound->port;
    agree_on_keepalive(wanted.keepalive, *bound);
  }
  if (const auto* refused = std::get_if<wire::error_answer>(&outcome)) {
    counters::add(counter::binds_refused);
    report(refused->message);
  }
  // The book could not say so of a port that was not ours yet.
  if (mux_->waiting()) co_await tell_away();
}

asio::awaitable<void> server_session::unbind(std::uint64_t id) {
  if (const auto waits = in_line_.find(id); waits != in_line_.end()) {
    const std::uint16_t port = waits->second;
    auto leave = [this, port] { book_.leave_line(*this, port); };
    co_await net::ask(front_, leave);
  }
  const auto bound = binds_.extract(id);
  if (!bound) co_return;
  auto release = [this, port = bound.mapped()] { book_.release(*this, port); };
  co_await net::ask(front_, release);
}

/// Why the book need not be asked.
std::optional<wire::error_answer> server_session::impossible(const wire::bind_request& wanted) const {
  const auto no = [&wanted](std::string_view why, std::string message) {
    return wire::error_answer{wanted.id, std::string(why), std::move(message)};
  };
  if (stopping_) return no(code::shutting_down, "the server is shutting down; try again later");
  if (binds_.size() + in_line_.size() >= ports_of_a_client)
    return no(code::too_many_binds, fmt::format("a client may hold at most {} ports", ports_of_a_client));
  if (binds_.contains(wanted.id) || in_line_.contains(wanted.id))
    return no(code::duplicate_bind, fmt::format("bind {} is in use", wanted.id));
  return std::nullopt;
}

bind_question server_session::question_of(const wire::bind_request& wanted) {
  bind_question question;
  question.port = wanted.port;
  question.service = wanted.id;
  question.carrier = wanted.carrier;
  question.holder = shared_from_this();
  question.client_address = client_;
  if (native_) question.identity.emplace(hello_.client, hello_.instance);
  return question;
}

} // namespace gotunnel::reverse
