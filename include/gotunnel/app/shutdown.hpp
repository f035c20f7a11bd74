// SIGINT and SIGTERM: the first one stops in good order, the second one ends the program at once.
//
//   co_await stop_signal(signals);        // the first
//   tasks.spawn("second signal", exit_on_signal(signals));
#pragma once

#include "gotunnel/net/task.hpp"

#include <boost/asio/signal_set.hpp>

namespace gotunnel::app {

namespace asio = boost::asio;

/// Waits for SIGINT or SIGTERM: its number, or 0 when the wait was cancelled.
[[nodiscard]] asio::awaitable<int> stop_signal(asio::signal_set& signals);
/// Ends the process with 128 + the number of the next signal.
[[nodiscard]] asio::awaitable<void> exit_on_signal(asio::signal_set& signals);

} // namespace gotunnel::app
