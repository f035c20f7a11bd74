// A network, an /etc/hosts and a DNS server of the test's own, for names that are slow, silent or moving.
//
//   own_names names;                              // this thread, and all that it starts, from here on
//   names.dns.answer("svc.test", "127.0.0.1");
//   names.dns.delay(1s);
//   names.hosts("127.0.0.1 server.test\n");       // in place of what was there
//
// The network has nothing but a loopback interface. The DNS server answers at 127.0.0.53: with the address
// it was told, that there is no such name, or not at all. The destructor leads this thread back. Needs root;
// see own_names_possible().
#pragma once

#include "support/loopback.hpp"
#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace gotunnel::testing {

/// Whether this machine and this user can have names of their own.
[[nodiscard]] boost::test_tools::assertion_result own_names_possible(boost::unit_test::test_unit_id);

class dns_server {
public:
  dns_server();
  dns_server(const dns_server&) = delete;
  dns_server& operator=(const dns_server&) = delete;
  ~dns_server();

  void answer(const std::string& name, const std::string& ipv4);
  /// From now on each answer takes that long.
  void delay(std::chrono::milliseconds time) { delay_ = time; }
  /// From now on there is no answer.
  void fall_silent() { silent_ = true; }
  [[nodiscard]] std::size_t questions() const noexcept { return questions_; }

private:
  using time_point = std::chrono::steady_clock::time_point;

  struct reply {
    time_point due;
    std::vector<unsigned char> bytes;
    std::vector<unsigned char> to; ///< a sockaddr
  };

  void run();
  void hear();
  [[nodiscard]] std::vector<unsigned char> answer_to(std::vector<unsigned char> question);

  loopback_socket socket_;
  std::mutex mutex_; ///< addresses_
  std::map<std::string, std::array<unsigned char, 4>> addresses_;
  std::deque<reply> replies_; ///< of the thread
  std::atomic<std::chrono::milliseconds> delay_{std::chrono::milliseconds(0)};
  std::atomic<bool> silent_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::size_t> questions_ = 0;
  std::thread thread_;
};

class own_names {
  /// Of this thread, until the end of its life.
  class world {
  public:
    explicit world(const std::filesystem::path& files);
    world(const world&) = delete;
    world& operator=(const world&) = delete;
    ~world();

  private:
    int network_;
    int mounts_;
    std::string directory_;
  };

  scratch_directory files_;
  world world_{files_.path()};

public:
  void hosts(const std::string& text) const { spill(files_.file("hosts"), text); }

  /// The network has no IPv4 address from here on, and no DNS server.
  static void remove_ipv4();

  dns_server dns;
};

} // namespace gotunnel::testing
