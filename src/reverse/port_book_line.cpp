// Who waits for a port whose holders are away.
#include "gotunnel/base/log.hpp"
#include "gotunnel/net/ask.hpp"
#include "gotunnel/reverse/bind_refusal.hpp"
#include "gotunnel/reverse/port_book.hpp"

#include <algorithm>

namespace gotunnel::reverse {
namespace {

// Each is a session that has nothing else to do.
constexpr std::size_t line_limit = 16;

} // namespace

asio::awaitable<wire::control_message> port_book::wait_in_line(bind_question question) {
  auto put = [this, &question](bind_answer answer) { enter_line(std::move(question), std::move(answer)); };
  co_return co_await net::ask_later<wire::control_message>(front_, std::move(put));
}

void port_book::enter_line(bind_question question, bind_answer answer) {
  const auto found = ports_.find(question.port);
  // The port was given up, or its holder is back, while this was on its way.
  if (closed_ || found == ports_.end() || !found->second->holders.all_away())
    return tasks_.spawn("bind", bind_and_answer(std::move(question), std::move(answer)));
  public_port& held = *found->second;
  if (held.line.size() >= line_limit) return answer(port_held(question, held));
  static log::limit often;
  log::info(often, "reverse", "{} waits for port {}, whose client is away", question.client_address,
            held.number);
  held.line.push_back({std::move(question), std::move(answer)});
}

void port_book::leave_line(const port_holder& holder, std::uint16_t port) {
  const auto found = ports_.find(port);
  if (found == ports_.end()) return;
  auto& line = found->second->line;
  const auto his = [&holder](const bind_in_line& each) { return each.question.holder.get() == &holder; };
  for (auto each = std::find_if(line.begin(), line.end(), his); each != line.end();
       each = std::find_if(line.begin(), line.end(), his)) {
    const bind_in_line gone = std::move(*each);
    line.erase(each);
    gone.answer(port_held(gone.question, *found->second));
  }
}

/// Gives a port whose holders are over to the first in line; false when nobody waits, or it cannot be
/// listened on.
bool port_book::pass_on(const public_port_ptr& port) {
  while (!port->line.empty()) {
    const bind_in_line next = std::move(port->line.front());
    port->line.pop_front();
    if (count_ports(next.question) >= ports_of_a_client) {
      next.answer(too_many_ports(next.question));
      continue;
    }
    port->hand_to(next.question);
    port->crowd = quota_.crowd_of(port->client());
    static log::limit often;
    log::info(often, "reverse", "port {} goes to {}, which has waited for it", port->number,
              port->client_address);
    const error_code why = tend(port);
    if (!why) {
      next.answer(
          wire::bound_answer{next.question.service, port->number, port->address, next.question.carrier});
      return true;
    }
    port->holders.clear();
    next.answer(unavailable(next.question, why));
  }
  return false;
}

/// Somebody has the port again, or nobody can have it any more.
void port_book::refuse_line(public_port& port) {
  for (const bind_in_line& each : std::exchange(port.line, {}))
    each.answer(closed_ ? shutting_down(each.question) : port_held(each.question, port));
}

/// Of the client that asks; none of a seed peer, whose one port its session counts.
std::size_t port_book::count_ports(const bind_question& question) const {
  if (!question.identity) return 0;
  const auto his = [&question](const auto& each) {
    return each.second->identity && each.second->identity->first == question.identity->first;
  };
  return static_cast<std::size_t>(std::count_if(ports_.begin(), ports_.end(), his));
}

} // namespace gotunnel::reverse
