// All workers at rest, so that one of them may look at what lives on the others.
//
//   outcome = standstill(pool, [&] { ...whatever lives on any worker... }, [&](std::size_t worker) { ...on its thread... });
//
// Called on the front worker of a pool that runs, in none of its own waits: each worker finishes what it is
// doing and waits; `look` runs here, alone in the process; then `after` runs on every worker, before anything
// else does there, and here. What a worker has queued stays queued meanwhile. Returns when `after` has run
// everywhere. Neither function may throw, nor wait for a worker.
#pragma once

#include "gotunnel/net/worker_pool.hpp"

#include <functional>

namespace gotunnel::net {

void standstill(worker_pool& pool, const std::function<void()>& look,
                const std::function<void(std::size_t worker)>& after);

} // namespace gotunnel::net
