// A task is a coroutine whose outcome is a `result<T>`: failure is a value.
//
//   task<std::size_t> f() { auto r = co_await g(); if (!r) co_return r.error(); co_return *r + 1; }
//
// Cancellation (net/task_group) arrives as an exception out of a co_await and is caught by the group alone.
// `token` is the one completion token of the house: operations of Asio then yield a tuple of error code and
// values. It is `deferred` and not `use_awaitable`: awaited at once an operation then needs no coroutine
// frame of its own, 200 bytes for as long as it waits.
#pragma once

#include "gotunnel/base/error.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>

namespace gotunnel::net {

namespace asio = boost::asio;

using executor = asio::any_io_executor;

template <class T = void>
using task = asio::awaitable<result<T>>;

inline constexpr auto token = asio::as_tuple(asio::deferred);

} // namespace gotunnel::net
