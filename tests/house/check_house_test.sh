#!/usr/bin/env bash
# Proves that check_house.sh can fail: plants each kind of violation in a small tree and expects its line and rule, and
# plants what merely looks like one and expects silence.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0
cases=0

# A fresh small tree that keeps every rule.
sound_tree() {
  rm -rf "${tree:?}"/*
  mkdir -p "$tree"/{include/gotunnel/{base,crypto,wire,net},src/{base,wire,net,link,mux,reverse,relay,app},tests/net,bench/floor,cmake}
  echo '#pragma once' >"$tree/include/gotunnel/base/bytes.hpp"
  echo '#include "gotunnel/base/bytes.hpp"' >"$tree/include/gotunnel/wire/frame.hpp"
  echo '#include "gotunnel/wire/frame.hpp"' >"$tree/src/net/tcp.cpp"
  echo 'target_sources(house PRIVATE tcp.cpp)' >"$tree/CMakeLists.txt"
}

fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

# breaks PATH LINE RULE < content: the check must name exactly this place and this rule.
breaks() {
  local path=$1 line=$2 rule=$3 said
  cases=$((cases + 1))
  sound_tree
  cat >"$tree/$path"
  if said=$("$here/check_house.sh" "$tree" 2>&1); then
    fail "$rule in $path passed"
  elif [[ $said != "$path:$line: [$rule] "* ]] || (($(wc -l <<<"$said") != 1)); then
    fail "expected $path:$line: [$rule], got: $said"
  fi
}

# keeps PATH < content: the check must be silent.
keeps() {
  local path=$1 said
  cases=$((cases + 1))
  sound_tree
  cat >"$tree/$path"
  said=$("$here/check_house.sh" "$tree" 2>&1) || fail "expected silence, got: $said"
}

# A coroutine around one statement, which is on line 2.
coroutine() { printf 'awaitable<void> f() {\n  %s\n}\n' "$1"; }
await_breaks() { breaks src/net/tcp.cpp 2 "$1" <<<"$(coroutine "$2")"; }
await_keeps() { keeps src/net/tcp.cpp <<<"$(coroutine "$1")"; }

sound_tree
"$here/check_house.sh" "$tree" >/dev/null || fail "the sound tree does not pass"

# Arrows.
breaks include/gotunnel/base/up.hpp 2 arrow <<<$'#pragma once\n#include "gotunnel/crypto/pki.hpp"'
breaks src/wire/up.cpp 1 arrow <<<'#include "gotunnel/net/tcp.hpp"'
breaks src/net/up.cpp 1 arrow <<<'#include <gotunnel/mux/session.hpp>'
breaks src/link/side.cpp 1 arrow <<<'#include "gotunnel/mux/session.hpp"'
breaks src/mux/side.cpp 1 arrow <<<'#include "link/dialer.hpp"'
breaks src/relay/side.cpp 1 arrow <<<'#include "gotunnel/reverse/server.hpp"'
breaks src/reverse/up.cpp 1 arrow <<<'#include "gotunnel/app/config.hpp"'
breaks src/app/where.cpp 1 arrow <<<'#include "gotunnel/attic/old.hpp"'
breaks src/lost.cpp 1 room <<<'int x;'
keeps src/main.cpp <<<'#include "gotunnel/app/cli.hpp"'
keeps src/app/cli.cpp <<<$'#include "gotunnel/reverse/server.hpp"\n#include "gotunnel/base/log.hpp"'
keeps tests/net/pair.cpp <<<'#include "gotunnel/mux/session.hpp"'

# Length.
lines_of_code() { for ((i = 0; i < $1; i++)); do echo "int x;"; done; }
breaks src/net/long.cpp 401 length <<<"$(lines_of_code 401)"
keeps src/net/long.cpp <<<"$(lines_of_code 400)"

# Libraries and clocks that stay on their floor.
breaks src/wire/io.cpp 1 asio <<<'#include <boost/asio/buffer.hpp>'
breaks src/wire/io.cpp 1 boost-log <<<'#include <boost/log/core.hpp>'
breaks src/net/io.cpp 1 openssl <<<'#include <openssl/ssl.h>'
breaks src/wire/io.cpp 1 clock <<<'auto t = std::chrono::steady_clock::now();'
keeps src/base/log.cpp <<<$'#include <boost/log/core.hpp>\nauto t = std::chrono::system_clock::now();'
keeps bench/floor/tls.cpp <<<'#include <openssl/ssl.h>'
keeps src/net/io.cpp <<<$'#include <boost/asio/buffer.hpp>\nauto t = std::chrono::steady_clock::now();'

# Tokens.
breaks src/net/io.cpp 1 detached <<<'co_spawn(context, work(), asio::detached);'
breaks src/net/io.cpp 1 awaitable-operators <<<'using namespace asio::experimental::awaitable_operators;'
breaks src/net/io.cpp 1 channel <<<'asio::experimental::channel<void(error_code)> box;'
breaks src/net/io.cpp 1 socket-binding <<<'auto [ec, socket] = co_await accept();'
breaks tests/net/io_test.cpp 1 sleep <<<'std::this_thread::sleep_for(1s);'
keeps tests/net/io_test.cpp <<<'std::this_thread::sleep_for(2ms); // the pace of the visitors, not a wait'
keeps tests/net/io_test.cpp <<<'inline asio::awaitable<void> pause(duration length) { return net::sleep_for(length); }'
breaks src/net/CMakeLists.txt 1 glob <<<'file(GLOB sources *.cpp)'
breaks src/net/io.cpp 1 unfinished <<<"// TO""DO: later"
breaks tests/net/io_test.cpp 1 unfinished <<<"// FIX""ME"
breaks cmake/tools.cmake 1 unfinished <<<"# X""XX"
keeps src/net/io.cpp <<<$'// never detached, never awaitable_operators\nconst char* why = "detached"; /* a channel:\nexperimental::channel */'
keeps src/net/io.cpp <<<$'auto usage = R"(\n  detached "quoted" // GLOB\n)";\nint big = 1\'000\'000;'
keeps src/net/io.cpp <<<'auto [ec, n] = co_await socket.async_read_some(buffer, token);'
keeps cmake/headers.cmake <<<'file(GLOB_RECURSE headers *.hpp)'
keeps cmake/go.cmake <<<'file(GLOB sources CONFIGURE_DEPENDS peer/*.go)'

# What blocks a worker.
for call in 'std::this_thread::sleep_for(1s);' 'if (::flock(file, LOCK_EX) != 0) return;' '::fsync(file);' \
  'std::ifstream in(path);' 'const int file = ::open(path.c_str(), O_RDONLY);' 'auto text = net::read_file(path, 100);' \
  'auto opened = net::directory::open(path);' '::getaddrinfo(host, port, &hints, &found);' \
  'const auto found = resolver.resolve(host, port);' 'std::condition_variable changed;' '::waitpid(child, &status, 0);' \
  'std::future<int> answer;' '::poll(&question, 1, -1);'; do
  breaks src/net/io.cpp 1 blocking <<<"$call"
  keeps tests/net/io_test.cpp <<<"$call // not a wait"
done
breaks src/net/directory.cpp 1 blocking <<<'const auto found = resolver.resolve(host, port);'
keeps src/net/directory.cpp <<<'if (::flock(handle(), LOCK_EX | LOCK_NB) == 0) return {};'
keeps src/net/io.cpp <<<'resolver.async_resolve(host, port, token);'
keeps src/net/io.cpp <<<'if (::poll(&question, 1, 0) == 1) return;'
keeps src/net/io.cpp <<<'auto opened = net::tcp_listener::open(where, address); co_await sleep_for(1s);'

# Conditions that await.
await_breaks await-condition 'if (co_await f()) return;'
await_breaks await-condition 'if (auto r = co_await f()) return;'
await_breaks await-condition 'if (auto r = g(); co_await f(r)) return;'
await_breaks await-condition 'while (co_await f()) step();'
await_breaks await-condition 'do { step(); } while (co_await f());'
await_breaks await-condition 'for (int i = 0; co_await f(i); ++i) step();'
await_breaks await-condition 'switch (co_await f()) { default: break; }'
await_keeps 'if (auto r = co_await f(); !r) co_return r.error();'
await_keeps 'for (auto n = co_await f(); n > 0; --n) co_await g();'
await_keeps 'for (const auto& x : co_await f()) use(x);'
await_keeps 'if (any([&] { return true; })) co_await g();'
await_keeps 'spawn([this]() -> awaitable<void> { co_await g(); });'

# Temporaries that are destroyed twice.
await_breaks await-lambda 'co_await f([x] { return x; });'
await_breaks await-lambda 'co_await f([=] { return x; });'
await_breaks await-lambda 'co_await f([&y, x = std::move(z)]() mutable { use(x); });'
await_breaks await-braces 'co_await f(agg{1, 2});'
await_breaks await-braces 'co_await f({1, 2});'
await_breaks await-braces 'co_return agg{co_await f()};'
await_breaks await-braces 'std::vector<int> v{co_await f(), 2};'
breaks src/net/tcp.cpp 3 await-lambda <<<$'awaitable<void> f() {\n  const auto n =\n      co_await g(\n          [s] { return s; });\n}'
await_keeps 'co_await f([this, &x] { return x; });'
await_keeps 'auto l = [x] { return x; }; co_await f(l);'
await_keeps 'const agg a{1, 2}; co_await f(a);'
await_keeps 'agg a = {1, 2}; const auto& [p, q] = a; co_await f(v[p], q);'
await_keeps 'if (x) { co_await f(); } agg b{2}; for (int i : {1, 2}) co_await f(i);'
await_keeps 'spawn([x]() -> awaitable<void> { co_await g(x); }); const agg c{1};'
await_keeps 'switch (n) { case 1: { co_await g(); } } agg d{3};'

echo "$((cases - failures)) of $cases cases right"
((failures == 0))
